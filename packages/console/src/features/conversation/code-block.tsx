import { Children, isValidElement, type ReactNode } from 'react';
import { CopyIcon } from '../../components/copy.tsx';
import { Scroller } from '../../components/scroller.tsx';
import classes from './markdown.module.css';

export function CodeBlock({ children }: { readonly children?: ReactNode }) {
  const language = languageOf(children);
  return (
    <div className={classes.code}>
      <div className={classes.codeBar}>
        <span>{language ?? 'text'}</span>
        <CopyIcon text={() => textOf(children).replace(/\n$/, '')} label="Copy the code" />
      </div>
      <Scroller className={classes.codeText} label={language ? `Code, ${language}` : 'Code'}>
        <pre>{children}</pre>
      </Scroller>
    </div>
  );
}

function languageOf(children: ReactNode): string | undefined {
  const [code] = Children.toArray(children);
  if (!isValidElement<{ readonly className?: string }>(code)) return undefined;
  return /language-([\w+#.-]{1,40})/.exec(code.props.className ?? '')?.[1];
}

function textOf(node: ReactNode): string {
  let text = '';
  for (const child of Children.toArray(node)) {
    if (typeof child === 'string' || typeof child === 'number') text += child;
    else if (isValidElement<{ readonly children?: ReactNode }>(child)) text += textOf(child.props.children);
  }
  return text;
}
