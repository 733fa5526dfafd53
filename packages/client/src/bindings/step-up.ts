import type { StepUpRequest } from '../factors/types.ts'
import type { Client } from '../types.ts'

/**
 * Calls `set` with each request that the person confirms who they are, and with undefined when it is settled. Returns a
 * function that stops this, and cancels the open request.
 */
export function watchStepUps(
  client: Pick<Client, 'onStepUp'>,
  set: (request: StepUpRequest | undefined) => void,
): () => void {
  let open: StepUpRequest | undefined
  const remove = client.onStepUp((request) => {
    open = request
    set(request)
    void request.settled.finally(() => {
      if (open !== request) return
      open = undefined
      set(undefined)
    })
  })
  return () => {
    remove()
    open?.cancel()
  }
}
