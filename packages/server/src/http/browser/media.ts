import type { BodyRule } from '../router/route.ts'

/** The media types of a body with fields: JSON, and what HTML forms send. */
export const FIELD_MEDIA: BodyRule['media'] = [
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
]
