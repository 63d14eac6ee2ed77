#pragma once

#include "domain/database_pieces.hh"
#include "domain/restore_source.hh"
#include "sys/fd.hh"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ap {

/// Says where an entry is to be written; empty: nowhere.
using PlaceEntry = std::function<std::string(const BackupEntry &entry)>;

/// Writes the entries of a backup below directories that nobody else knows of yet. Files
/// are made new, with the times and permissions they had; links are never followed.
class StagedFiles
{
public:
    StagedFiles(const RestoreSource &source, PlaceEntry place);

    /// Writes all; every file is compared with its hash once more.
    void write(const Progress &progress);

private:
    void take(int depth, const BackupEntry &entry, std::string_view piece);
    void open(const std::string &path);
    void close(const BackupEntry &entry);
    void change_database(const BackupEntry &entry, std::string_view piece);
    void check_database() const;
    void set_directories();

    const RestoreSource &source_;
    PlaceEntry place_;
    std::unordered_map<std::string_view, const BackupEntry *> wanted_;
    std::vector<std::pair<std::string, const BackupEntry *>> directories_;
    std::string database_; // path; empty if it is not wanted
    int database_depth_ = 0;
    Fd file_;
    std::unique_ptr<ChangesReader> changes_;
};

} // namespace ap
