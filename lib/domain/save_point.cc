#include "domain/save_point.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/apply_rules.hh"
#include "sys/output_file.hh"
#include "sys/path.hh"
#include "wrap/json.hh"
#include "wrap/sha256.hh"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t largest_file = size_t{1} << 30;
constexpr mode_t execute_bits = 0111;

std::string manifest_of(const std::string &path)
{
    return join_path(path, "manifest.json");
}

std::string old_file(const std::string &path, size_t index)
{
    return join_path(path, "old-" + std::to_string(index));
}

std::string hash_of(const FileState &state)
{
    return to_hex(sha256(state.bytes));
}

Json state_to_json(const std::optional<FileState> &state)
{
    if (!state) {
        return Json::null();
    }
    Json json = Json::object();
    return json.set("sha256", hash_of(*state))
        .set("mode", static_cast<int64_t>(state->mode));
}

[[noreturn]] void refuse(const std::string &path, const std::string &why)
{
    throw Error(ExitStatus::BadData, "save point '" + path + "': " + why);
}

// What a manifest says of a file's state, before its bytes are read.
struct Noted
{
    std::string hash;
    mode_t mode;
};

std::optional<Noted> noted(const Json &json, const std::string &path)
{
    if (json.is_null()) {
        return std::nullopt;
    }
    const auto hash = json.get_string("sha256");
    const auto mode = json.get_integer("mode");
    if (!hash || !mode || *mode < 0 || *mode > 07777) {
        refuse(path, "expected sha256 and mode of each file in manifest.json");
    }
    return Noted{*hash, static_cast<mode_t>(*mode)};
}

bool is_as_noted(const std::optional<FileState> &state, const std::optional<Noted> &note)
{
    if (!state || !note) {
        return !state && !note;
    }
    return hash_of(*state) == note->hash &&
           (state->mode & execute_bits) == (note->mode & execute_bits);
}

std::optional<FileState> state_in(const Tree &tree, const std::string &path)
{
    const Tree::Entry entry = tree.look(path);
    switch (entry.kind) {
    case Tree::Kind::Nothing:
        return std::nullopt;
    case Tree::Kind::File:
        return FileState{tree.read(path, largest_file), entry.mode};
    case Tree::Kind::Directory:
    case Tree::Kind::Link:
    case Tree::Kind::Other:
        break;
    }
    throw Error(ExitStatus::Failed, "'" + printable(path) + "' is no regular file now");
}

} // namespace

void write_save_point(const std::string &path, const std::vector<TreeChange> &changes)
{
    const std::string temporary = path + ".partial";
    if (path_exists(path)) {
        throw Error(ExitStatus::CannotCreate,
                    "save point '" + path + "' is there already");
    }
    remove_tree(temporary);
    make_directories(temporary, 0700);
    Json files = Json::array();
    for (size_t i = 0; i < changes.size(); i++) {
        const TreeChange &change = changes[i];
        if (change.before) {
            write_file_atomically(old_file(temporary, i), change.before->bytes, 0600);
        }
        Json file = Json::object();
        file.set("path", change.path)
            .set("old", state_to_json(change.before))
            .set("new", state_to_json(change.after));
        files.append(file);
    }
    Json manifest = Json::object();
    manifest.set("version", 1).set("files", files);
    write_file_atomically(manifest_of(temporary), manifest.dump_pretty(), 0600);
    // Another save point of that name would not be empty, and stay.
    if (std::rename(temporary.c_str(), path.c_str()) != 0) {
        throw_errno("cannot rename '" + temporary + "' to '" + path + "'");
    }
    sync_directory(parent_path(path));
}

std::vector<TreeChange> changes_back(const Tree &tree, const std::string &path,
                                     bool force)
{
    const std::string name = manifest_of(path);
    const Json files = Json::parse(read_file(name, largest_file), name).get("files");
    if (!files.is_array()) {
        refuse(path, "expected an array \"files\" in manifest.json");
    }
    std::vector<TreeChange> changes;
    for (size_t i = 0; i < files.size(); i++) {
        const Json file = files.at(i);
        TreeChange change;
        change.path = file.get_string("path").value_or("");
        if (const auto refusal = path_refusal(change.path, {})) {
            refuse(path, "'" + printable(change.path) + "' " + *refusal);
        }
        const auto before = noted(file.get("old"), path);
        change.before = state_in(tree, change.path);
        if (is_as_noted(change.before, before)) {
            continue;
        }
        if (!force && !is_as_noted(change.before, noted(file.get("new"), path))) {
            throw Error(ExitStatus::Failed,
                        "'" + printable(change.path) + "' is not as the change left it");
        }
        if (before) {
            change.after =
                FileState{read_file(old_file(path, i), largest_file), before->mode};
            if (!is_as_noted(change.after, before)) {
                refuse(path, "'" + old_file(path, i) + "' is damaged");
            }
        }
        changes.push_back(std::move(change));
    }
    return changes;
}

} // namespace ap
