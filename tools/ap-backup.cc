#include "base/error.hh"
#include "cli/tool.hh"
#include "domain/backup.hh"
#include "domain/backup_name.hh"
#include "domain/state.hh"
#include "sys/path.hh"
#include "sys/progress.hh"
#include "wrap/heap.hh"
#include "wrap/json.hh"
#include "wrap/sodium.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'o', "output", "FILE", "write FILE.tar.gz or FILE.tar.zst; - is standard output"},
    {'d', "output-dir", "DIR", "write a file with the date in its name to DIR"},
    {'f', "format", "NAME", "zst or gz, for - and --output-dir (default: zst)"},
    {'l', "level", "N", "compression level (default: 3 for zst, 6 for gz)"},
    {'i', "incremental", "BASE", "store only what is not in the backup BASE"},
    {'c', "check", "", "check the database for damage in an incremental backup, too"},
    {'r', "reread", "", "take no file for unchanged by its size and times"},
    {'p', "passphrase-file", "FILE", "encrypt with the first line of FILE"},
    {'s', "sign", "FILE", "sign with the secret key in FILE"},
    {0, "generate-key", "FILE", "write a new key to FILE and FILE.pub, and exit"},
    {'q', "quiet", "", "no progress bar"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
    {0, "json", "", "print JSON"},
    {'v', "verbose", "", "say what was done"},
};

constexpr ap::ToolSpec spec = {.name = "ap-backup",
                               .summary = "back up the state and all run files",
                               .options = options};

ap::Compression format(const ap::Arguments &arguments)
{
    const std::string name = arguments.value("format").value_or("zst");
    if (name != "zst" && name != "gz") {
        throw ap::UsageError("--format: expected zst or gz, got '" + name + "'");
    }
    return name == "gz" ? ap::Compression::Gzip : ap::Compression::Zstd;
}

void choose_output(const ap::Arguments &arguments, ap::BackupOptions &backup)
{
    const auto file = arguments.value("output");
    const auto directory = arguments.value("output-dir");
    if (file.has_value() == directory.has_value()) {
        throw ap::UsageError("expected either --output or --output-dir");
    }
    backup.compression = format(arguments);
    if (directory) {
        backup.output = ap::join_path(
            *directory, ap::dated_backup_name(ap::SystemClock().now(), backup.compression,
                                              backup.passphrase.has_value()));
        return;
    }
    backup.output = *file;
    if (*file == "-") {
        return;
    }
    const auto compression = ap::compression_of_name(*file);
    if (!compression) {
        throw ap::UsageError("--output: expected a name that ends in .tar.zst, .tzst, "
                             ".tar.gz or .tgz (and .enc), got '" +
                             *file + "'");
    }
    backup.compression = *compression;
}

ExitStatus generate_key(const std::string &path)
{
    const ap::SigningKeys keys = ap::SigningKeys::make();
    if (ap::path_exists(path)) {
        throw ap::Error(ExitStatus::CannotCreate, "'" + path + "' is there already");
    }
    ap::write_file_atomically(path, keys.secret + "\n", 0600);
    ap::write_file_atomically(path + ".pub", keys.open + "\n", 0644);
    return ExitStatus::Done;
}

void report(const ap::Arguments &arguments, const ap::BackupOptions &backup,
            const ap::BackupResult &result)
{
    const ap::BackupManifest &manifest = result.manifest;
    if (arguments.has("json") && backup.output != "-") {
        ap::Json left_out = ap::Json::array();
        for (const ap::LeftOut &left : manifest.left_out) {
            ap::Json item = ap::Json::object();
            left_out.append(item.set("path", left.path).set("reason", left.reason));
        }
        ap::Json json = ap::Json::object();
        json.set("file", backup.output)
            .set("id", manifest.id)
            .set("created_at", manifest.created_at)
            .set("schema_version", manifest.schema_version)
            .set("runs", manifest.runs)
            .set("entries", static_cast<int64_t>(manifest.entries.size()))
            .set("files_stored", result.files_stored)
            .set("bytes", manifest.bytes())
            .set("file_bytes", result.file_size)
            .set("base", manifest.chain.empty()
                             ? std::nullopt
                             : std::optional(manifest.chain.front().id))
            .set("left_out", left_out);
        ap::print(json.dump() + "\n");
    }
    if (!arguments.has("verbose")) {
        return;
    }
    for (const ap::LeftOut &left : manifest.left_out) {
        ap::warn("left out '" + left.path + "': " + left.reason);
    }
    ap::warn("backed up " + std::to_string(manifest.runs) + " runs, " +
             std::to_string(manifest.entries.size()) + " files and directories, " +
             ap::format_bytes(manifest.bytes()) + " as " +
             ap::format_bytes(result.file_size) + " in '" + backup.output + "'");
}

ExitStatus back_up(const ap::Arguments &arguments)
{
    if (const auto path = arguments.value("generate-key")) {
        return generate_key(*path);
    }
    ap::return_freed_memory();
    ap::BackupOptions backup;
    backup.passphrase = ap::read_first_line(arguments.value("passphrase-file"));
    choose_output(arguments, backup);
    const bool gzip = backup.compression == ap::Compression::Gzip;
    backup.level = static_cast<int>(
        arguments.integer("level", 1, gzip ? 9 : 19).value_or(gzip ? 6 : 3));
    backup.base = arguments.value("incremental");
    backup.check = arguments.has("check");
    backup.read_all = arguments.has("reread");
    backup.signing_key = ap::read_first_line(arguments.value("sign"));
    if (const auto directory = arguments.value("output-dir")) {
        ap::make_directories(*directory, 0700);
    }
    ap::ProgressBar bar(std::string(spec.name), "backup", arguments.has("quiet"));
    const ap::BackupResult result =
        ap::create_backup(ap::state_paths(arguments.value("db")), backup,
                          [&](int64_t done, int64_t total) { bar.update(done, total); });
    report(arguments, backup, result);
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, back_up);
}
