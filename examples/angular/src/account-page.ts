import { HttpClient } from '@angular/common/http'
import { Component, inject, signal } from '@angular/core'

interface Device {
  readonly id: string
  readonly device: string
  readonly current: boolean
}

/** The devices of the person who is logged in. */
@Component({
  selector: 'app-account-page',
  template: `
    <button (click)="showDevices()">Show my devices</button>
    <ul>
      @for (device of devices(); track device.id) {
        <li>{{ device.device }} {{ device.current ? '(this one)' : '' }}</li>
      }
    </ul>
  `,
})
export class AccountPage {
  readonly #http = inject(HttpClient)
  readonly devices = signal<readonly Device[]>([])

  showDevices(): void {
    this.#http
      .get<{ sessions: Device[] }>('/auth/sessions')
      .subscribe(({ sessions }) => this.devices.set(sessions))
  }
}
