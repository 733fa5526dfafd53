// The parts of Next.js that `/next` uses. Next.js itself has 340 MB, so only its test installs it, and checks these
// declarations by building an application.

declare module 'next/server.js' {
  export class NextResponse extends Response {
    static next(init: { readonly request: { readonly headers: Headers } }): NextResponse
    static rewrite(
      url: string,
      init: { readonly request: { readonly headers: Headers } },
    ): NextResponse
  }

  export interface NextRequest extends Request {
    readonly nextUrl: { readonly pathname: string; readonly search: string }
  }
}

declare module 'next/headers.js' {
  export function headers(): Promise<Pick<Headers, 'get'>>
}
