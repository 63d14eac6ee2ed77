#pragma once

#include "domain/ledger_document.hh"
#include "domain/state.hh"
#include "sys/file_lock.hh"

#include <chrono>
#include <string>

namespace ap {

/// Keeps other tools from writing the documents. Makes their directory.
FileLock lock_documents(const StatePaths &paths, std::chrono::milliseconds wait);

/// The document's absolute path.
std::string document_path(const StatePaths &paths, const LedgerDocument &document);

/// The document's text; empty if there is no file.
std::string read_document(const StatePaths &paths, const LedgerDocument &document);

/// settle_ledger() for one document. Call with the documents locked.
void settle_document(State &state, const LedgerDocument &document);

} // namespace ap
