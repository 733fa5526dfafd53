import { Component, effect, inject } from '@angular/core'
import { ActivatedRoute, Router } from '@angular/router'
import { injectSignIn } from '@countersign/client/angular'

/** The forms for people who are not logged in. */
@Component({
  selector: 'app-login-page',
  template: `
    @switch (signIn.state().step?.next) {
      @case (undefined) {
        <form (submit)="$event.preventDefault(); logIn(username.value, password.value)">
          <label>Username <input #username autocomplete="username" required /></label>
          <label>
            Password <input #password type="password" autocomplete="current-password" required />
          </label>
          <button>Log in</button>
        </form>
      }
      @case ('second-factor') {
        <form (submit)="$event.preventDefault(); sendCode(code.value)">
          <label>
            Code of your authenticator app
            <input #code autocomplete="one-time-code" required />
          </label>
          <button>Continue</button>
        </form>
      }
      @case ('enrol') {
        <p>Your account needs a second factor. Set one up first.</p>
      }
    }
    <p role="alert">{{ signIn.state().error?.message }}</p>
  `,
})
export class LoginPage {
  readonly #router = inject(Router)
  readonly #route = inject(ActivatedRoute)
  readonly signIn = injectSignIn()

  constructor() {
    effect(() => {
      if (this.signIn.state().step?.next !== 'signed-in') return
      // The router stays on this origin, so a link with a foreign address in `next` leads nowhere else.
      void this.#router.navigateByUrl(this.#route.snapshot.queryParamMap.get('next') ?? '/')
    })
  }

  logIn(username: string, password: string): void {
    void this.signIn.login({ username, password })
  }

  sendCode(code: string): void {
    const { step } = this.signIn.state()
    if (step?.next === 'second-factor') void this.signIn.proceed(() => step.totp(code))
  }
}
