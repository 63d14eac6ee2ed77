#include "domain/retention.hh"

#include "base/error.hh"
#include "domain/backup.hh"
#include "domain/backup_name.hh"
#include "domain/restore_source.hh"
#include "sys/directory.hh"
#include "sys/file_lock.hh"
#include "sys/output_file.hh"
#include "sys/path.hh"

#include <algorithm>
#include <ctime>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <tuple>

namespace ap {

namespace {

constexpr std::string_view pre_upgrade = "pre-upgrade-";

std::string period(UnixMs at, const char *format)
{
    const time_t seconds = at / 1000;
    struct tm local = {};
    localtime_r(&seconds, &local);
    char text[32] = {};
    static_cast<void>(std::strftime(text, sizeof text, format, &local));
    return text;
}

// The newest of each of the last `count` periods; `verdicts` are newest first.
void keep_by_period(std::vector<RetentionVerdict> &verdicts, int64_t count,
                    const char *format, const std::string &what)
{
    std::set<std::string> seen;
    for (RetentionVerdict &verdict : verdicts) {
        if (static_cast<int64_t>(seen.size()) == count) {
            return;
        }
        const std::string key = period(verdict.file.created_at, format);
        if (seen.insert(key).second) {
            verdict.keep = true;
            verdict.reason += (verdict.reason.empty() ? "" : ", ") + what + " " + key;
        }
    }
}

// Keeps `base` of what is kept already; whether that is news.
bool keep_base(RetentionVerdict &base, const RetentionVerdict &kept)
{
    if (base.keep || base.file.id != kept.file.base) {
        return false;
    }
    base.keep = true;
    base.reason = "needed by " + kept.file.name;
    return true;
}

void keep_bases(std::vector<RetentionVerdict> &verdicts)
{
    // A base may be dated later than what needs it: clocks are set back.
    for (bool more = true; more;) {
        more = false;
        for (const RetentionVerdict &verdict : verdicts) {
            if (!verdict.keep || verdict.file.base.empty()) {
                continue;
            }
            for (RetentionVerdict &base : verdicts) {
                more = keep_base(base, verdict) || more;
            }
        }
    }
}

RetainedFile look_at(const std::string &directory, const std::string &name,
                     const std::optional<std::string> &passphrase)
{
    const std::string path = join_path(directory, name);
    Fd file = open_file(path, O_RDONLY | O_NOFOLLOW);
    struct stat status = {};
    if (fstat(file.get(), &status) != 0) {
        throw_errno("cannot look at '" + path + "'");
    }
    if (const auto label = read_label(file.get(), name)) {
        return {name, label->id, label->base, label->created_at, status.st_size};
    }
    const BackupReader reader(std::move(file), name, passphrase);
    const BackupManifest &manifest = reader.manifest();
    return {name, manifest.id, manifest.chain.empty() ? "" : manifest.chain.front().id,
            manifest.created_at, status.st_size};
}

// A damaged file, or one whose base is gone, is noted. One that could not be read for
// another reason may need others, nobody knows which: then nothing can be removed.
void leave_alone(const std::string &name, const Error &error,
                 std::vector<LeftOut> &ignored)
{
    const bool damaged = error.status() == ExitStatus::BadData ||
                         error.status() == ExitStatus::NoInput ||
                         error.status() == ExitStatus::Config;
    if (!damaged) {
        throw error;
    }
    ignored.push_back({name, error.what()});
}

struct Listing
{
    std::vector<RetainedFile> files;
    std::vector<LeftOut> ignored;
    std::vector<std::string> partial; // left by backups that were killed
};

Listing list_backups(const PruneOptions &options)
{
    Listing listing;
    const Directory directory(opendir(options.directory.c_str()));
    if (!directory) {
        throw_errno("cannot list '" + options.directory + "'");
    }
    while (const dirent *entry = readdir(directory.get())) {
        const std::string name = static_cast<const char *>(entry->d_name);
        if (name.starts_with(".autopack-backup-") && name.ends_with(".partial")) {
            listing.partial.push_back(name);
        } else if (!name.starts_with('.') && compression_of_name(name)) {
            try {
                listing.files.push_back(
                    look_at(options.directory, name, options.passphrase));
            } catch (const Error &error) {
                leave_alone(name, error, listing.ignored);
            }
        }
    }
    return listing;
}

bool is_good(const PruneOptions &options, const RetainedFile &file,
             const Progress &progress, std::vector<LeftOut> &ignored)
{
    try {
        RestoreInput input;
        input.path = join_path(options.directory, file.name);
        input.passphrase = options.passphrase;
        RestoreSource(input).verify(progress);
        return true;
    } catch (const Error &error) {
        leave_alone(file.name, error, ignored);
        return false;
    }
}

// Sees to it that the newest good backup, and what it needs, stays.
void keep_good_one(const PruneOptions &options, const Progress &progress,
                   PruneResult &result)
{
    for (RetentionVerdict &verdict : result.verdicts) {
        if (!is_good(options, verdict.file, progress, result.ignored)) {
            continue;
        }
        result.verified = verdict.file.name;
        if (!verdict.keep) {
            verdict.keep = true;
            verdict.reason = "the newest that is good";
            keep_bases(result.verdicts);
        }
        return;
    }
    throw Error(ExitStatus::Failed,
                "no backup in '" + options.directory +
                    "' is good; nothing was removed: " + result.ignored.back().reason);
}

} // namespace

std::vector<RetentionVerdict> judge_backups(std::vector<RetainedFile> files,
                                            const RetentionRules &rules)
{
    std::sort(files.begin(), files.end(), [](const auto &one, const auto &other) {
        return std::tie(one.created_at, one.name) >
               std::tie(other.created_at, other.name);
    });
    std::vector<RetentionVerdict> dated;
    std::vector<RetentionVerdict> kept;
    for (RetainedFile &file : files) {
        if (file.name.starts_with(pre_upgrade)) {
            kept.push_back({std::move(file), true, "made before an upgrade"});
        } else {
            dated.push_back({std::move(file), false, {}});
        }
    }
    keep_by_period(dated, rules.daily, "%Y-%m-%d", "daily");
    keep_by_period(dated, rules.weekly, "%G-W%V", "weekly");
    keep_by_period(dated, rules.monthly, "%Y-%m", "monthly");
    std::vector<RetentionVerdict> verdicts = std::move(dated);
    verdicts.insert(verdicts.end(), std::make_move_iterator(kept.begin()),
                    std::make_move_iterator(kept.end()));
    std::stable_sort(verdicts.begin(), verdicts.end(),
                     [](const auto &one, const auto &other) {
                         return one.file.created_at > other.file.created_at;
                     });
    keep_bases(verdicts);
    for (RetentionVerdict &verdict : verdicts) {
        if (!verdict.keep) {
            verdict.reason = "newer ones are kept for its day, week and month";
        }
    }
    return verdicts;
}

std::vector<RetainedFile> find_backups(const std::string &directory)
{
    PruneOptions options;
    options.directory = directory;
    return list_backups(options).files;
}

PruneResult prune_backups(const PruneOptions &options, const Progress &progress)
{
    const FileLock lock(options.directory, "'" + options.directory + "'");
    Listing listing = list_backups(options);
    PruneResult result;
    result.ignored = std::move(listing.ignored);
    result.verdicts = judge_backups(std::move(listing.files), options.rules);
    const bool any = std::any_of(result.verdicts.begin(), result.verdicts.end(),
                                 [](const auto &verdict) { return !verdict.keep; });
    if (any) {
        keep_good_one(options, progress, result);
    }
    for (const std::string &name : listing.partial) {
        if (!options.dry_run) {
            remove_file(join_path(options.directory, name));
        }
    }
    // Newest first: what needs another goes before it.
    for (const RetentionVerdict &verdict : result.verdicts) {
        if (verdict.keep) {
            continue;
        }
        if (!options.dry_run) {
            remove_file(join_path(options.directory, verdict.file.name));
        }
        result.removed++;
        result.removed_bytes += verdict.file.size;
    }
    sync_directory(options.directory);
    return result;
}

} // namespace ap
