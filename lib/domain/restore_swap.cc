#include "domain/restore_swap.hh"

#include "base/error.hh"
#include "sys/file_lock.hh"
#include "sys/output_file.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <cstdio>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t largest_note = size_t{64} << 20;

std::string note_path(const StatePaths &paths)
{
    return join_path(paths.directory, ".autopack-restore.json");
}

// Tells one file from any that takes its name later; empty if there is none.
std::string identity(const std::string &path)
{
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) {
        return {};
    }
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

Json note_of(const Swap &swap)
{
    Json items = Json::array();
    for (const SwapItem &item : swap.items) {
        Json line = Json::object();
        line.set("live", item.live)
            .set("staged", item.staged)
            .set("away", item.away)
            .set("moves", identity(item.away ? item.live : item.staged));
        items.append(line);
    }
    Json directories = Json::array();
    for (const SwapDirectory &directory : swap.directories) {
        Json line = Json::object();
        directories.append(
            line.set("staging", directory.staging).set("kept", directory.kept));
    }
    Json note = Json::object();
    note.set("items", items).set("directories", directories);
    return note;
}

void move_file(const std::string &from, const std::string &to, unsigned flags)
{
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
        throw_errno("cannot move '" + from + "' to '" + to + "'");
    }
}

// Does one item unless it is done: the one that moves is then no longer where it was.
void place(const Json &item)
{
    const std::string live = item.get("live").as_string();
    const std::string staged = item.get("staged").as_string();
    const std::string moves = item.get("moves").as_string();
    const bool away = item.get("away").as_boolean();
    const std::string &from = away ? live : staged;
    const std::string &to = away ? staged : live;
    if (moves.empty() || identity(from) != moves) {
        return;
    }
    make_directories(parent_path(to), 0755);
    move_file(from, to, identity(to).empty() ? 0 : RENAME_EXCHANGE);
}

void settle(const Json &directory)
{
    const std::string staging = directory.get("staging").as_string();
    const std::string kept = directory.get("kept").as_string();
    if (identity(staging).empty()) {
        return;
    }
    if (kept.empty()) {
        remove_tree(staging);
    } else {
        move_file(staging, kept, RENAME_NOREPLACE);
        sync_directory(parent_path(kept));
    }
}

void follow(const Json &note, const std::string &path)
{
    std::set<std::string> parents;
    const Json items = note.get("items");
    for (size_t i = 0; i < items.size(); i++) {
        place(items.at(i));
        parents.insert(parent_path(items.at(i).get("live").as_string()));
    }
    for (const std::string &parent : parents) {
        if (path_exists(parent)) {
            sync_directory(parent);
        }
    }
    const Json directories = note.get("directories");
    for (size_t i = 0; i < directories.size(); i++) {
        settle(directories.at(i));
    }
    remove_file(path);
    sync_directory(parent_path(path));
}

} // namespace

void perform_swap(const StatePaths &paths, const Swap &swap)
{
    const Json note = note_of(swap);
    write_file_atomically(note_path(paths), note.dump_pretty(), 0600);
    follow(note, note_path(paths));
}

bool is_swap_pending(const StatePaths &paths)
{
    return path_exists(note_path(paths));
}

void finish_swap(const StatePaths &paths)
{
    const std::string path = note_path(paths);
    if (path_exists(path)) {
        follow(Json::parse(read_file(path, largest_note), path), path);
    }
}

void finish_interrupted_restore(const StatePaths &paths)
{
    if (is_swap_pending(paths)) {
        const FileLock lock(paths.directory, "'" + paths.directory + "'");
        finish_swap(paths);
    }
}

} // namespace ap
