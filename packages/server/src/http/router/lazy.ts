/**
 * Makes a value at its first use and keeps it. The schemas of the route table are made this way, because many
 * authorities never need them.
 */
export function lazy<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
