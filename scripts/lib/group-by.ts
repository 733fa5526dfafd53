/**
 * Groups values by their key, in the order of first appearance. `Map.groupBy` needs types that Node 20 lacks.
 */
export function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, readonly V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return groups
}
