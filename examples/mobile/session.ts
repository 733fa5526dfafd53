import { createClient, type Client } from '@countersign/client'

import type * as SecureStore from './secure-store.ts'

/** The functions of `expo-secure-store` that the application uses. */
export type SecureStorage = Pick<
  typeof SecureStore,
  'getItemAsync' | 'setItemAsync' | 'deleteItemAsync'
>

/** Creates the client of the application, once at its start. */
export function openClient(authority: string, store: SecureStorage): Client {
  return createClient({
    authority,
    mode: 'memory',
    storage: {
      get: store.getItemAsync,
      set: store.setItemAsync,
      remove: store.deleteItemAsync,
    },
  })
}
