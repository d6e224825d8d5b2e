/** What callers may be, and what each route and message asks for. */
export const PERMISSIONS = [
  /** What the server is and can do: `/api/info`, engines, documents. */
  'info:read',
  /** Sessions and all that is in them. */
  'sessions:read',
  /** Make, link, publish in, upload to and delete sessions. */
  'sessions:write',
  /** Give commands, and cancel them. */
  'runs:write',
  /** Answer what runs ask people, and execute the tools of clients. */
  'requests:answer',
  'metrics:read',
  /** Keys, the audit log, and stopping everything. */
  'admin',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export const ROLES = ['admin', 'user', 'viewer'] as const;
export type Role = (typeof ROLES)[number];
