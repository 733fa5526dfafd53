import { createHash } from 'node:crypto'

import type { AuthorityMessage } from '@countersign/guard/revocations'

import type { KeyRing } from '../keys/ring.ts'
import type { RoleStore } from '../store/store.ts'
import type { FeedTopics, Topic } from './hub.ts'

/** What the feed tells beside the log: the published keys, and what each role may do. */
export async function createTopics(
  ring: Pick<KeyRing, 'jwks' | 'killed' | 'reload'>,
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

function keysTopic({ jwks, killed }: Pick<KeyRing, 'jwks' | 'killed'>): Topic {
  return topic((tag) => ({ type: 'keys', jwks, killed, tag }))
}

async function rolesTopic(store: Pick<RoleStore, 'list'>): Promise<Topic> {
  const defined = await store.list()
  const roles = Object.fromEntries(defined.map(({ name, permissions }) => [name, permissions]))
  return topic((tag) => ({ type: 'roles', roles, tag }))
}

/** Names a state by its content: who has it already need not be sent it again. */
function topic(messageWith: (tag: string) => AuthorityMessage): Topic {
  const text = JSON.stringify(messageWith(''))
  const tag = createHash('sha256').update(text).digest('base64url').slice(0, 22)
  return { tag, message: messageWith(tag) }
}
