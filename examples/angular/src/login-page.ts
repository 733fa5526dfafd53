import { Component, inject, signal } from '@angular/core'
import { ActivatedRoute, Router } from '@angular/router'
import { injectSession } from '@countersign/client/angular'

/** The form for people who are not logged in. */
@Component({
  selector: 'app-login-page',
  template: `
    <form (submit)="$event.preventDefault(); logIn(username.value, password.value)">
      <label>Username <input #username autocomplete="username" required /></label>
      <label>
        Password <input #password type="password" autocomplete="current-password" required />
      </label>
      <button>Log in</button>
      <p role="alert">{{ problem() }}</p>
    </form>
  `,
})
export class LoginPage {
  readonly #client = injectSession().client
  readonly #router = inject(Router)
  readonly #route = inject(ActivatedRoute)
  readonly problem = signal('')

  async logIn(username: string, password: string): Promise<void> {
    try {
      await this.#client.login({ username, password })
      // The router stays on this origin, so a link with a foreign address in `next` leads nowhere else.
      await this.#router.navigateByUrl(this.#route.snapshot.queryParamMap.get('next') ?? '/')
    } catch (error) {
      this.problem.set((error as Error).message)
    }
  }
}
