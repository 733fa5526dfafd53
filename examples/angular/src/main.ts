// Compiles in the browser what Angular's own build compiles ahead. An application with `ng build` needs no such line.
import '@angular/compiler'
import { provideHttpClient, withInterceptors } from '@angular/common/http'
import { bootstrapApplication } from '@angular/platform-browser'
import { provideRouter } from '@angular/router'
import { createClient } from '@countersign/client'
import {
  countersignInterceptor,
  provideCountersign,
  requireSession,
} from '@countersign/client/angular'

import { AccountPage } from './account-page.ts'
import { AdminPage } from './admin-page.ts'
import { App } from './app.ts'
import { LoginPage } from './login-page.ts'

await bootstrapApplication(App, {
  providers: [
    provideCountersign(createClient()),
    provideHttpClient(withInterceptors([countersignInterceptor])),
    provideRouter([
      { path: 'login', component: LoginPage },
      { path: '', pathMatch: 'full', component: AccountPage, canActivate: [requireSession()] },
      {
        path: 'admin',
        component: AdminPage,
        canActivate: [requireSession({ roles: ['admin'], denied: '/' })],
      },
    ]),
  ],
})
