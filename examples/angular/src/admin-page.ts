import { Component } from '@angular/core'

/** The page for administrators. */
@Component({ selector: 'app-admin-page', template: '<p>You are an administrator.</p>' })
export class AdminPage {}
