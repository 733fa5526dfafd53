/**
 * The result of a change: `changed`; `unchanged` if the row already had the wanted state, or not the state
 * that the caller expected; or `unknown` if there is no such row. Only `changed` writes an audit line and a
 * log entry.
 */
export type Change = 'changed' | 'unchanged' | 'unknown'
