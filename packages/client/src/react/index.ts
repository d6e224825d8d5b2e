export {
  type HookClient,
  type HookSession,
  type UsedSession,
  type UseSessionOptions,
  useSession,
} from './use-session.ts';
