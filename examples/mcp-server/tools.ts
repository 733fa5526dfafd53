import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'

/** Who calls the tools: a person, through an application that they allowed to act for them. */
export interface Caller {
  readonly owner: string
  readonly application: string
  readonly scopes: readonly string[]
}

/** The notes of each person. A real server has a database. */
const notes = new Map<string, string[]>()

/** Makes the tools that the scopes of the caller allow. They see the notes of this caller only, whatever a model asks for. */
export function createTools({ owner, application, scopes }: Caller): McpServer {
  const server = new McpServer({ name: 'notes', version: '0.1.0' })
  const say = (text: string) => ({ content: [{ type: 'text' as const, text }] })

  server.registerTool('list_notes', { description: 'Lists your notes.' }, () =>
    say((notes.get(owner) ?? []).join('\n') || 'There are no notes.'),
  )
  if (scopes.includes('notes:write')) {
    const inputSchema = { text: z.string().min(1).max(500) }
    server.registerTool('add_note', { description: 'Adds a note.', inputSchema }, ({ text }) => {
      notes.set(owner, [...(notes.get(owner) ?? []), `${text} (by ${application})`])
      return say('Noted.')
    })
  }
  return server
}
