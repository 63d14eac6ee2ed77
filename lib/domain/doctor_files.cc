#include "domain/doctor_checks.hh"

#include "least_versions.inc"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/health.hh"
#include "domain/retention.hh"
#include "domain/secret_rule.hh"
#include "sys/directory.hh"
#include "sys/path.hh"
#include "sys/progress.hh"
#include "wrap/archive.hh"
#include "wrap/http_client.hh"
#include "wrap/http_server.hh"
#include "wrap/json.hh"
#include "wrap/sodium.hh"
#include "wrap/sqlite.hh"
#include "wrap/systemd.hh"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr size_t largest_configuration = size_t{1} << 20;
constexpr mode_t others_write = S_IWOTH;
constexpr mode_t not_the_owner = S_IRWXG | S_IRWXO;

// Nobody but those who may is to have one of the `forbidden` permissions.
void check_mode(DoctorNotes &notes, Severity severity, const std::string &path,
                mode_t forbidden, std::string_view what)
{
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0 || (status.st_mode & forbidden) == 0) {
        return;
    }
    const std::string change = forbidden == others_write ? "o-w" : "go-rwx";
    const mode_t wanted = status.st_mode & 07777 & ~forbidden;
    if (notes.options().fix && status.st_uid == geteuid() &&
        chmod(path.c_str(), wanted) == 0) {
        notes.fixed("chmod " + change + " " + path);
        return;
    }
    notes.add(severity, "permissions", "'" + path + "' " + std::string(what),
              "chmod " + change + " " + shell_word(path));
}

void check_access(DoctorNotes &notes, const std::string &path)
{
    if (path_exists(path) && access(path.c_str(), R_OK | W_OK) != 0) {
        notes.add(Severity::Error, "permissions",
                  "this user cannot read and write '" + path + "'",
                  "sudo chown -R " + std::to_string(geteuid()) + " " + shell_word(path));
    }
}

// Files of a directory whose names say that they hold secrets.
std::vector<std::string> secret_files(const std::string &path)
{
    std::vector<std::string> found;
    const Directory directory(opendir(path.c_str()));
    if (!directory) {
        return found;
    }
    while (const dirent *entry = readdir(directory.get())) {
        const std::string name = static_cast<const char *>(entry->d_name);
        const std::string file = join_path(path, name);
        struct stat status = {};
        if (is_secret_name(name) && stat(file.c_str(), &status) == 0 &&
            S_ISREG(status.st_mode)) {
            found.push_back(file);
        }
    }
    return found;
}

// The key files that the gateway's configuration names.
std::vector<std::string> gateway_key_files(const StatePaths &paths)
{
    const std::string path = join_path(paths.directory, "ap-gate.conf");
    std::vector<std::string> files;
    if (!path_exists(path)) {
        return files;
    }
    const Json providers =
        Json::parse(read_file(path, largest_configuration), path).get("providers");
    for (size_t index = 0; index < providers.size(); index++) {
        const auto file = providers.at(index).get_string("key_file");
        if (file && !file->starts_with("credential:")) {
            files.push_back(join_path(paths.directory, *file));
        }
    }
    return files;
}

// Whether version `a`, numbers with dots between them, is older than `b`.
bool is_older(std::string_view a, std::string_view b)
{
    const auto left = split(a, '.');
    const auto right = split(b, '.');
    for (size_t at = 0; at < right.size(); at++) {
        const auto number = [&](const auto &parts) {
            const std::string_view part = at < parts.size() ? parts[at] : "0";
            const size_t digits = part.find_first_not_of("0123456789");
            return parse_integer(part.substr(0, digits), 0, 1'000'000).value_or(0);
        };
        if (number(left) != number(right)) {
            return number(left) < number(right);
        }
    }
    return false;
}

} // namespace

void check_permissions(DoctorNotes &notes)
{
    const StatePaths &paths = notes.options().paths;
    for (const char *suffix : {"", "-wal", "-shm"}) {
        check_access(notes, paths.database + suffix);
        check_mode(notes, Severity::Error, paths.database + suffix, others_write,
                   "can be written by every user");
    }
    check_access(notes, paths.directory);
    check_access(notes, paths.runs);
    check_mode(notes, Severity::Warning, paths.runs, not_the_owner,
               "is open to other users, and with it what agents print");
    std::vector<std::string> secrets = secret_files(paths.directory);
    for (const std::vector<std::string> &more :
         {secret_files(join_path(paths.directory, "config")), gateway_key_files(paths)}) {
        secrets.insert(secrets.end(), more.begin(), more.end());
    }
    std::sort(secrets.begin(), secrets.end());
    secrets.erase(std::unique(secrets.begin(), secrets.end()), secrets.end());
    for (const std::string &file : secrets) {
        check_mode(notes, Severity::Error, file, not_the_owner,
                   "holds a key and is open to other users");
    }
}

void check_disk(DoctorNotes &notes)
{
    const std::string &directory = notes.options().paths.directory;
    const DiskHealth disk = read_disk(directory);
    if (disk.is_low()) {
        notes.add(Severity::Error, "disk",
                  "only " + format_bytes(disk.free_bytes) + " of " +
                      format_bytes(disk.total_bytes) + " are free",
                  "du -xah " + shell_word(directory) + " | sort -rh | head -n 20");
    }
}

void check_backups(DoctorNotes &notes, const Clock &clock)
{
    const DoctorOptions &options = notes.options();
    const std::string command =
        suite_command(options, "ap-backup --output-dir " + shell_word(options.backups));
    UnixMs newest = 0;
    if (path_exists(options.backups)) {
        for (const RetainedFile &file : find_backups(options.backups)) {
            newest = std::max(newest, file.created_at);
        }
    }
    if (newest == 0) {
        notes.add(Severity::Warning, "backups",
                  "there is no backup in '" + options.backups + "'", command);
        return;
    }
    const std::chrono::milliseconds age(clock.now() - newest);
    if (age > options.oldest_backup) {
        notes.add(Severity::Warning, "backups",
                  "the newest backup in '" + options.backups + "' is " +
                      format_duration(age) + " old",
                  command);
    }
}

void check_units(DoctorNotes &notes)
{
    const auto failed = failed_units("ap-*");
    if (!failed) {
        notes.add(Severity::Note, "units", "not checked: systemd does not run here", "");
        return;
    }
    for (const std::string &unit : *failed) {
        notes.add(Severity::Error, "units", unit + " has failed",
                  "journalctl -u " + shell_word(unit) + " -n 50");
    }
}

void check_libraries(DoctorNotes &notes)
{
    struct Library
    {
        std::string_view name;
        std::string_view package; ///< of Debian 12
        std::string version;
        std::string_view least;
    };
    const Library libraries[] = {
        {"SQLite", "libsqlite3-0", loaded_sqlite_version(), AP_LEAST_SQLITE3},
        {"libcurl", "libcurl4", loaded_curl_version(), AP_LEAST_LIBCURL},
        {"Jansson", "libjansson4", loaded_jansson_version(), AP_LEAST_JANSSON},
        {"libarchive", "libarchive13", loaded_archive_version(), AP_LEAST_LIBARCHIVE},
        {"libmicrohttpd", "libmicrohttpd12", loaded_microhttpd_version(),
         AP_LEAST_LIBMICROHTTPD},
        {"libsodium", "libsodium23", loaded_sodium_version(), AP_LEAST_LIBSODIUM},
    };
    for (const Library &library : libraries) {
        if (is_older(library.version, library.least)) {
            notes.add(Severity::Error, "libraries",
                      std::string(library.name) + " is version " + library.version +
                          ", at least " + std::string(library.least) + " is needed",
                      "sudo apt-get install --only-upgrade " +
                          std::string(library.package));
        }
    }
}

} // namespace ap
