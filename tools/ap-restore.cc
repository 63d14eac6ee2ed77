#include "base/error.hh"
#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/restore.hh"
#include "domain/restore_merge.hh"
#include "domain/state.hh"
#include "sys/path.hh"
#include "sys/progress.hh"
#include "wrap/json.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'i', "input", "FILE", "the backup; - is standard input"},
    {'l', "list", "", "only print what is in it"},
    {'t', "verify-only", "", "only verify it, by a restore to a temporary directory"},
    {'n', "dry-run", "", "verify it and say what would be done"},
    {'m', "merge", "", "only add the runs that do not exist here"},
    {0, "only", "PATH", "only this file or directory of it; may be repeated"},
    {0, "to", "DIR", "restore to DIR instead of where the database is"},
    {'w', "wait", "TIME", "wait for others to stop using the database (30s, 5m)"},
    {'p', "passphrase-file", "FILE", "decrypt with the first line of FILE"},
    {'k', "key", "FILE", "refuse it unless signed: FILE is the public key"},
    {0, "base-dir", "DIR", "where the bases of an incremental backup are"},
    {0, "no-manifest", "", "take an archive without one (of the seed system)"},
    {'q', "quiet", "", "no progress bar"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
    {0, "json", "", "print JSON"},
    {'v', "verbose", "", "say what was done"},
};

constexpr ap::ToolSpec spec = {
    .name = "ap-restore", .summary = "restore a backup of the state", .options = options};

ExitStatus list(const ap::Arguments &arguments, const ap::BackupManifest &manifest)
{
    ap::Table table({"SIZE", "MODIFIED", "PATH"});
    for (const ap::BackupEntry &entry : manifest.entries) {
        if (arguments.has("json")) {
            ap::Json json = ap::Json::object();
            json.set("path", entry.path)
                .set("directory", entry.directory)
                .set("size", entry.length)
                .set("modified_at", entry.mtime_ns / 1'000'000)
                .set("from", entry.from);
            ap::print(json.dump() + "\n");
            continue;
        }
        table.add({std::to_string(entry.length),
                   ap::format_local(entry.mtime_ns / 1'000'000),
                   ap::printable(entry.path) + (entry.directory ? "/" : "")});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
    return ExitStatus::Done;
}

// Paths as people type them: "./docs/", "docs".
std::vector<std::string> selection(const ap::Arguments &arguments)
{
    std::vector<std::string> paths;
    for (std::string path : arguments.values("only")) {
        path = path.starts_with("./") ? path.substr(2) : path;
        while (path.ends_with('/')) {
            path.pop_back();
        }
        paths.push_back(path);
    }
    return paths;
}

ap::RestoreOptions restore_options(const ap::Arguments &arguments)
{
    ap::RestoreOptions restore;
    restore.only = selection(arguments);
    if (const auto text = arguments.value("wait")) {
        const auto wait = ap::parse_duration(*text);
        if (!wait) {
            throw ap::UsageError("--wait: expected a time such as 30s, got '" + *text +
                                 "'");
        }
        restore.wait = *wait;
    }
    return restore;
}

ap::StatePaths target(const ap::Arguments &arguments)
{
    const auto directory = arguments.value("to");
    if (!directory) {
        return ap::state_paths(arguments.value("db"));
    }
    const std::string to = ap::absolute_path(*directory);
    return {ap::join_path(to, "autopack.db"), ap::join_path(to, ".autonomous_runs"), to};
}

ExitStatus merge(const ap::Arguments &arguments, const ap::RestoreSource &source,
                 const ap::Progress &progress)
{
    const ap::MergeResult result = ap::merge_backup(source, target(arguments), progress);
    ap::Json added = ap::Json::array();
    for (const std::string &run : result.added) {
        added.append(ap::Json::string(run));
        if (!arguments.has("json")) {
            ap::print(run + "\n");
        }
    }
    if (arguments.has("json")) {
        ap::Json present = ap::Json::array();
        for (const std::string &run : result.present) {
            present.append(ap::Json::string(run));
        }
        ap::Json json = ap::Json::object();
        ap::print(json.set("added", added).set("present", present).dump() + "\n");
    }
    return ExitStatus::Done;
}

void report(const ap::Arguments &arguments, const ap::RestoreSource &source,
            const ap::RestoreResult &result)
{
    for (const std::string &finding : result.findings) {
        ap::warn("in the backup: " + finding);
    }
    if (arguments.has("json")) {
        ap::Json json = ap::Json::object();
        json.set("id", source.manifest().id)
            .set("created_at", source.manifest().created_at)
            .set("files", result.files)
            .set("bytes", result.bytes)
            .set("schema_from", result.schema_from)
            .set("schema_to", result.schema_to)
            .set("rollback",
                 result.rollback.empty() ? std::nullopt : std::optional(result.rollback));
        ap::print(json.dump() + "\n");
    } else if (arguments.has("verbose")) {
        ap::warn(std::to_string(result.files) + " files, " +
                 ap::format_bytes(result.bytes) +
                 (result.rollback.empty()
                      ? std::string()
                      : ", what was there is in '" + result.rollback + "'"));
    }
}

ExitStatus restore(const ap::Arguments &arguments)
{
    const auto path = arguments.value("input");
    if (!path) {
        throw ap::UsageError("expected --input FILE");
    }
    const ap::RestoreInput input{
        *path, ap::read_first_line(arguments.value("passphrase-file")),
        ap::read_first_line(arguments.value("key")), arguments.value("base-dir"),
        arguments.has("no-manifest")};
    const ap::RestoreOptions choice = restore_options(arguments);
    const ap::RestoreSource source(input);
    if (input.no_manifest) {
        ap::warn("without a manifest nobody can tell whether '" + *path +
                 "' was changed");
    }
    if (arguments.has("list")) {
        return list(arguments, source.manifest());
    }
    ap::ProgressBar bar(std::string(spec.name), "restore", arguments.has("quiet"));
    const auto progress = [&](int64_t done, int64_t total) { bar.update(done, total); };
    if (arguments.has("merge")) {
        return merge(arguments, source, progress);
    }
    ap::RestoreResult result;
    if (arguments.has("verify-only")) {
        result = ap::rehearse_restore(source, progress);
    } else if (arguments.has("dry-run")) {
        result = ap::plan_restore(source, target(arguments), choice, progress);
    } else {
        result = ap::restore_backup(source, target(arguments), choice, progress);
    }
    report(arguments, source, result);
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, restore);
}
