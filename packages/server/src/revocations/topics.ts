import { createHash } from 'node:crypto'

import type { AuthorityMessage } from '@countersign/guard/revocations'

import type { KeyRing } from '../keys/ring.ts'
import type { RoleStore } from '../store/store.ts'
import type { FeedTopics, Topic } from './hub.ts'

/**
 * Makes the topics that the feed sends besides the log: the published keys, and the permissions of each role.
 */
export async function createTopics(
  ring: Pick<KeyRing, 'jwks' | 'killed' | 'pending' | 'reload'>,
  store: Pick<RoleStore, 'list'>,
): Promise<FeedTopics> {
  let keys = keysTopic(ring)
  let roles = await rolesTopic(store)
  return {
    current: () => [keys, roles],
    reload: async (kinds) => {
      if (kinds.has('role')) roles = await rolesTopic(store)
      if (!kinds.has('key') && !kinds.has('keyset')) return
      await ring.reload()
      keys = keysTopic(ring)
    },
  }
}

function keysTopic({ jwks, killed, pending }: Pick<KeyRing, 'jwks' | 'killed' | 'pending'>): Topic {
  return topic((tag) => ({ type: 'keys', jwks, killed, pending, tag }))
}

async function rolesTopic(store: Pick<RoleStore, 'list'>): Promise<Topic> {
  const defined = await store.list()
  const roles = Object.fromEntries(defined.map(({ name, permissions }) => [name, permissions]))
  return topic((tag) => ({ type: 'roles', roles, tag }))
}

/**
 * Makes a topic. Its tag is a hash of its content, so a guard that already has the state does not get it
 * again.
 */
function topic(messageWith: (tag: string) => AuthorityMessage): Topic {
  const text = JSON.stringify(messageWith(''))
  const tag = createHash('sha256').update(text).digest('base64url').slice(0, 22)
  return { tag, message: messageWith(tag) }
}
