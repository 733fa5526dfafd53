import { countersign } from '../../lib/countersign'

export default async function About() {
  const session = await countersign.getSession()
  return <p>{session ? 'You are logged in.' : 'This page has no secrets.'}</p>
}
