import '@angular/compiler'
import { HttpClient, provideHttpClient, withInterceptors, withXhr } from '@angular/common/http'
import { createApplication } from '@angular/platform-browser'
import { catchError, lastValueFrom, map, of } from 'rxjs'

import {
  countersignInterceptor,
  provideCountersign,
} from '../../packages/client/src/bindings/angular.ts'
import { createClient } from '../../packages/client/src/index.ts'

// The script of a page for slow-angular.test.ts: an application without components.

const client = createClient()

async function open(isXhr: boolean): Promise<HttpClient> {
  const interceptors = withInterceptors([countersignInterceptor])
  const http = isXhr ? provideHttpClient(withXhr(), interceptors) : provideHttpClient(interceptors)
  const { injector } = await createApplication({ providers: [provideCountersign(client), http] })
  return injector.get(HttpClient)
}

const clients = { fetch: await open(false), xhr: await open(true) }

/** Sends a request and returns the status of its answer. 0: the browser has blocked it. */
function send(by: keyof typeof clients, method: string, url: string): Promise<number> {
  const options = { body: method === 'POST' ? 'a note' : null, responseType: 'text' } as const
  return lastValueFrom(
    clients[by].request(method, url, { ...options, observe: 'response' }).pipe(
      map(({ status }) => status),
      catchError((error: { status: number }) => of(error.status)),
    ),
  )
}

Object.assign(globalThis, { client, send })
