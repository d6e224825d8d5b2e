import classes from './logo.module.css';

export function Logo() {
  return (
    <span className={classes.logo}>
      <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
        <rect width="32" height="32" rx="8" className={classes.ground} />
        <path d="M10 9v14h12" className={classes.letter} />
        <circle cx="20.5" cy="12.5" r="2.6" className={classes.dot} />
      </svg>
      LLMgine
    </span>
  );
}
