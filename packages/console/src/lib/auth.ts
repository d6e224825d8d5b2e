import type { AuthSession } from '@llmgine/client';
import { createContext, useContext } from 'react';
import type { Permission } from './protocol.ts';

export const AuthContext = createContext<AuthSession | null>(null);

/** Who looks at the page. */
export function useAuth(): AuthSession {
  const auth = useContext(AuthContext);
  if (!auth) throw new Error('useAuth is for what is inside the AuthGate');
  return auth;
}

/** What the role and the scopes of the caller allow, as far as the page can tell; the server decides. */
export function useMay(
  permission: Extract<Permission, 'sessions:write' | 'runs:write' | 'requests:answer' | 'admin'>,
): boolean {
  const { role, scopes } = useAuth();
  const ofRole = role === 'admin' || (role === 'user' && permission !== 'admin');
  return ofRole && (scopes === null || scopes.includes(permission));
}
