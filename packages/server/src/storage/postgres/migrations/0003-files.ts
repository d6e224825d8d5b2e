import { type Kysely, sql } from 'kysely';

export async function addFiles(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `create table files (
    session bigint not null,
    created_at bigint not null,
    written_at bigint not null,
    completed_at bigint,
    size bigint not null,
    room bigint not null,
    duration double precision,
    file_id text not null,
    mime_type text not null,
    constraint files_key primary key (session, file_id)
  ) with (fillfactor = 70)`,
  `create index files_unfinished on files (written_at) where completed_at is null`,
  `create table file_pieces (
    session bigint not null,
    start bigint not null,
    file_id text not null,
    bytes bytea not null,
    constraint file_pieces_key primary key (session, file_id, start)
  )`,
  // Sound is compressed already.
  `alter table file_pieces alter column bytes set storage external`,
];
