#pragma once

#include <string_view>

namespace ap::migrations_sql {

// The append-only documents as they were written, in a chain of hashes. Entries are not
// tied to runs, which may be deleted: what happened stays.
inline constexpr std::string_view ledger = R"sql(
CREATE TABLE ledger_entries (
    document TEXT NOT NULL CHECK (document IN ('build', 'debug', 'decision')),
    position INTEGER NOT NULL,
    entry_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    about_run TEXT,
    about_phase TEXT,
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    hash TEXT NOT NULL CHECK (length(hash) = 64),
    is_in_file INTEGER NOT NULL DEFAULT 0 CHECK (is_in_file IN (0, 1)),
    PRIMARY KEY (document, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_not_in_file ON ledger_entries (document, position)
    WHERE is_in_file = 0;
CREATE INDEX ledger_by_run ON ledger_entries (about_run, created_at)
    WHERE about_run IS NOT NULL;

CREATE TABLE ledger_rewrites (
    document TEXT PRIMARY KEY CHECK (document IN ('build', 'debug', 'decision')),
    head TEXT NOT NULL,
    replaces TEXT NOT NULL CHECK (length(replaces) = 64)
) STRICT, WITHOUT ROWID;
)sql";

} // namespace ap::migrations_sql
