import { IconFile } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { bytes } from '../../lib/format.ts';
import type { MessagePart } from '../../lib/protocol.ts';
import { ExternalLink } from './external-link.tsx';
import classes from './file-part.module.css';

type File = Extract<MessagePart, { type: 'file' }>;

/** Pictures that a browser shows and that can hold no script. */
const SHOWN = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/** Something attached. What travelled in the message is shown; what lies elsewhere is a link, never loaded. */
export function FilePart({ file }: { readonly file: File }) {
  const { mime_type: type, name, data, url } = file;
  if (data !== undefined && SHOWN.has(type))
    return <Picture type={type} data={data} name={name ?? 'Image'} />;
  return (
    <div className={classes.file}>
      <IconFile size={16} aria-hidden />
      {url === undefined || url.startsWith('data:') ? (
        <span>{name ?? type}</span>
      ) : (
        <ExternalLink href={url}>{name ?? type}</ExternalLink>
      )}
      {data === undefined ? null : <span className="muted">{bytes((data.length * 3) / 4)}</span>}
    </div>
  );
}

interface PictureProps {
  readonly type: string;
  readonly data: string;
  readonly name: string;
}

function Picture({ type, data, name }: PictureProps) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytesOf(data)], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [type, data]);
  return url ? <img src={url} alt={name} className={classes.picture} /> : null;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
