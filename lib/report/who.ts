import { type Html, html, isolated } from './html'

/** A member by name, if names were asked for, and by the id that the school gave. */
export function who({ userId, userName }: { readonly userId: string; readonly userName?: string | undefined }): Html {
  return userName ? html`${isolated(userName)} <small>${isolated(userId)}</small>` : isolated(userId)
}
