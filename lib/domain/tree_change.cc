#include "domain/tree_change.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/apply_rules.hh"
#include "domain/save_point.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <set>

namespace ap {

namespace {

constexpr size_t largest_journal = size_t{64} << 20;

std::string inside(const std::string &name)
{
    return std::string(apply_directory) + "/" + name;
}

std::string old_name(size_t index)
{
    return inside("old-" + std::to_string(index));
}

std::string new_name(size_t index)
{
    return inside("new-" + std::to_string(index));
}

const std::string journal_name = inside("journal.json");

std::string parent_of(const std::string &path)
{
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// The journal as the steps below need it.
struct Journal
{
    struct File
    {
        std::string path;
        bool is_old; ///< old-N is what it was
        bool is_new; ///< new-N is what it becomes
    };
    std::vector<File> files;
    std::vector<std::string> directories; ///< that the change makes, uppermost first
};

Json to_json(const Journal &journal)
{
    Json files = Json::array();
    for (const Journal::File &file : journal.files) {
        Json line = Json::object();
        line.set("path", file.path).set("old", file.is_old).set("new", file.is_new);
        files.append(line);
    }
    Json directories = Json::array();
    for (const std::string &directory : journal.directories) {
        directories.append(Json::string(directory));
    }
    Json json = Json::object();
    return json.set("version", 1).set("files", files).set("directories", directories);
}

// A repository may come with such a directory: it must not reach what no change may.
std::string safe_path(std::optional<std::string> path)
{
    if (!path || path_refusal(*path, {})) {
        throw Error(ExitStatus::BadData, "'" + journal_name +
                                             "' is no journal of ap-apply: path '" +
                                             printable(path.value_or("")) + "'");
    }
    return std::move(*path);
}

Journal read_journal(const Tree &tree)
{
    const Json json = Json::parse(tree.read(journal_name, largest_journal), journal_name);
    Journal journal;
    const Json files = json.get("files");
    for (size_t i = 0; i < files.size(); i++) {
        const Json file = files.at(i);
        journal.files.push_back({safe_path(file.get_string("path")),
                                 file.get_boolean("old").value_or(false),
                                 file.get_boolean("new").value_or(false)});
    }
    const Json directories = json.get("directories");
    for (size_t i = 0; i < directories.size(); i++) {
        const Json directory = directories.at(i);
        journal.directories.push_back(safe_path(
            directory.is_string() ? std::optional(directory.as_string()) : std::nullopt));
    }
    return journal;
}

bool is_there(const Tree &tree, const std::string &path)
{
    return tree.look(path).kind != Tree::Kind::Nothing;
}

void sync_parents(const Tree &tree, const Journal &journal)
{
    std::set<std::string> parents;
    for (const Journal::File &file : journal.files) {
        parents.insert(parent_of(file.path));
    }
    for (const std::string &directory : journal.directories) {
        parents.insert(parent_of(directory));
    }
    for (const std::string &parent : parents) {
        tree.sync_directory(parent);
    }
}

void make_parents(const Tree &tree, const std::string &path)
{
    for (const std::string &directory : tree.missing_directories(path)) {
        tree.make_directory(directory, 0777);
    }
}

// The journal goes first: what is left without one means nothing.
void clear(const Tree &tree)
{
    tree.remove(journal_name);
    tree.sync_directory(apply_directory);
    for (const std::string &name : tree.names_in(apply_directory)) {
        tree.remove(inside(name));
    }
    tree.remove_directory(apply_directory);
}

// Whether a new file is at its place is told by its having left the apply directory, so
// that undoing can itself be interrupted and begun again.
void undo(const Tree &tree, const Journal &journal)
{
    for (size_t i = 0; i < journal.files.size(); i++) {
        const Journal::File &file = journal.files[i];
        const bool is_placed =
            file.is_new ? !is_there(tree, new_name(i)) : !is_there(tree, file.path);
        if (!is_placed) {
            continue;
        }
        if (!file.is_old) {
            tree.remove(file.path);
        } else if (is_there(tree, old_name(i))) {
            make_parents(tree, file.path);
            tree.move(old_name(i), file.path);
        }
    }
    for (auto directory = journal.directories.rbegin();
         directory != journal.directories.rend(); ++directory) {
        tree.remove_directory(*directory);
    }
    sync_parents(tree, journal);
    clear(tree);
}

void check_unchanged(const Tree &tree, const TreeChange &change)
{
    const Tree::Entry entry = tree.look(change.path);
    const bool same = change.before
                          ? entry.kind == Tree::Kind::File &&
                                entry.mode == change.before->mode &&
                                tree.read(change.path, change.before->bytes.size() + 1) ==
                                    change.before->bytes
                          : entry.kind == Tree::Kind::Nothing;
    if (!same) {
        throw Error(ExitStatus::TryAgain,
                    "'" + printable(change.path) +
                        "' was changed by another process meanwhile");
    }
}

Journal stage(const Tree &tree, const std::vector<TreeChange> &changes)
{
    Journal journal;
    std::set<std::string> directories;
    tree.make_directory(apply_directory, 0700);
    // Whoever adds everything to git meanwhile must not add this.
    tree.create(inside(".gitignore"), "*\n", 0600);
    for (size_t i = 0; i < changes.size(); i++) {
        const TreeChange &change = changes[i];
        check_unchanged(tree, change);
        if (change.before) {
            tree.create(old_name(i), change.before->bytes, change.before->mode);
        }
        if (change.after) {
            tree.create(new_name(i), change.after->bytes, change.after->mode);
            const auto missing = tree.missing_directories(change.path);
            directories.insert(missing.begin(), missing.end());
        }
        journal.files.push_back(
            {change.path, change.before.has_value(), change.after.has_value()});
    }
    journal.directories.assign(directories.begin(), directories.end());
    return journal;
}

void begin(const Tree &tree, const Journal &journal)
{
    const std::string temporary = inside("journal.partial");
    tree.create(temporary, to_json(journal).dump_pretty(), 0600);
    tree.sync_directory(apply_directory);
    tree.sync_directory("");
    tree.move(temporary, journal_name);
    tree.sync_directory(apply_directory);
}

void perform(const Tree &tree, const Journal &journal)
{
    for (const Journal::File &file : journal.files) {
        if (!file.is_new) {
            tree.remove(file.path);
        }
    }
    // A set has a directory before those in it.
    for (const std::string &directory : journal.directories) {
        tree.make_directory(directory, 0777);
    }
    for (size_t i = 0; i < journal.files.size(); i++) {
        if (journal.files[i].is_new) {
            tree.move(new_name(i), journal.files[i].path);
        }
    }
    sync_parents(tree, journal);
}

// As git does; a kill before this leaves an empty directory, which is no change.
void remove_emptied(const Tree &tree, const Journal &journal)
{
    for (const Journal::File &file : journal.files) {
        if (file.is_new) {
            continue;
        }
        for (std::string above = parent_of(file.path);
             !above.empty() && tree.remove_directory(above); above = parent_of(above)) {
        }
    }
}

} // namespace

void write_change(const Tree &tree, const std::vector<TreeChange> &changes,
                  const std::optional<std::string> &save_point)
{
    Journal journal;
    try {
        journal = stage(tree, changes);
        if (save_point) {
            write_save_point(*save_point, changes);
        }
        begin(tree, journal);
    } catch (...) {
        clear(tree);
        throw;
    }
    try {
        perform(tree, journal);
    } catch (...) {
        undo(tree, journal);
        throw;
    }
    clear(tree);
    remove_emptied(tree, journal);
}

bool finish_change(const Tree &tree)
{
    const Tree::Kind kind = tree.look(apply_directory).kind;
    if (kind == Tree::Kind::Nothing) {
        return false;
    }
    if (kind != Tree::Kind::Directory) {
        throw Error(ExitStatus::BadData,
                    "'" + std::string(apply_directory) + "' is no directory");
    }
    if (!is_there(tree, journal_name)) {
        clear(tree);
        return false;
    }
    undo(tree, read_journal(tree));
    return true;
}

std::vector<std::string> roll_back(const Tree &tree, const std::string &save_point,
                                   bool force)
{
    const std::vector<TreeChange> changes = changes_back(tree, save_point, force);
    if (!changes.empty()) {
        write_change(tree, changes, std::nullopt);
    }
    std::vector<std::string> paths;
    paths.reserve(changes.size());
    for (const TreeChange &change : changes) {
        paths.push_back(change.path);
    }
    return paths;
}

} // namespace ap
