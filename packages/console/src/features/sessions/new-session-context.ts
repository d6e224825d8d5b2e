import { createContext } from 'react';

/** Opens the dialog that makes a session. */
export const NewSessionContext = createContext<() => void>(() => {});
