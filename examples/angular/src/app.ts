import { Component, effect, inject } from '@angular/core'
import { Router, RouterLink, RouterOutlet } from '@angular/router'
import { injectSession } from '@countersign/client/angular'

/** The frame of all pages. */
@Component({
  selector: 'app-root',
  imports: [RouterLink, RouterOutlet],
  template: `
    <h1>Angular with Countersign</h1>
    @if (status() === 'loading') {
      <p>{{ error() ? 'The server cannot be reached.' : 'One moment.' }}</p>
    }
    @if (session(); as known) {
      <nav>
        Hello <b>{{ known.username }}</b>
        <a routerLink="/">Account</a>
        <a routerLink="/admin">Administration</a>
        <button (click)="client.logout()">Log out</button>
      </nav>
    }
    <router-outlet />
  `,
})
export class App {
  readonly #state = injectSession()
  readonly client = this.#state.client
  readonly session = this.#state.session
  readonly status = this.#state.status
  readonly error = this.#state.error

  constructor() {
    const router = inject(Router)
    // After a logout, in this tab or another one. The guards of the routes decide only about navigations.
    let wasSignedIn = false
    effect(() => {
      if (wasSignedIn && !this.session()) void router.navigateByUrl('/login')
      wasSignedIn = this.status() === 'signed-in'
    })
  }
}
