#include "domain/restore_source.hh"

#include "base/error.hh"
#include "sys/output_file.hh"
#include "sys/path.hh"

#include <array>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

// Standard input in a file that has no name: it is read more than once.
Fd spool_input()
{
    const OutputFile file("-");
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t count =
            read_some(STDIN_FILENO, buffer.data(), buffer.size(), "standard input");
        if (count <= 0) {
            break;
        }
        write_all(file.fd(), {buffer.data(), static_cast<size_t>(count)},
                  "a temporary file");
    }
    return open_file(file.path(), O_RDONLY);
}

BackupReader open_first(const RestoreInput &input)
{
    const bool standard = input.path == "-";
    Fd file = standard ? spool_input() : open_file(input.path, O_RDONLY);
    const std::string name = standard ? "standard input" : "'" + input.path + "'";
    if (input.no_manifest) {
        return BackupReader::without_manifest(std::move(file), name);
    }
    return BackupReader(std::move(file), name, input.passphrase);
}

} // namespace

RestoreSource::RestoreSource(const RestoreInput &input)
{
    readers_.push_back(open_first(input));
    const std::string directory =
        input.base_dir.value_or(input.path == "-" ? "." : parent_path(input.path));
    for (const BackupLink &link : manifest().chain) {
        const std::string path = join_path(directory, link.file);
        if (!path_exists(path)) {
            throw Error(ExitStatus::NoInput,
                        readers_.front().name() + ": needs its base '" + path +
                            "', which is not there (see --base-dir)");
        }
        BackupReader base(open_file(path, O_RDONLY), "'" + path + "'", input.passphrase);
        if (base.manifest().id != link.id || base.manifest_hash() != link.manifest) {
            throw Error(ExitStatus::BadData,
                        "'" + path + "': is not the base of " + readers_.front().name());
        }
        readers_.push_back(std::move(base));
    }
    if (input.public_key) {
        for (const BackupReader &reader : readers_) {
            reader.require_signature(*input.public_key);
        }
    }
}

void RestoreSource::verify(const Progress &progress) const
{
    int64_t total = 0;
    for (const BackupReader &reader : readers_) {
        total += reader.file_size();
    }
    int64_t before = 0;
    for (const BackupReader &reader : readers_) {
        reader.read({}, [&](int64_t done, int64_t) {
            if (progress) {
                progress(before + done, total);
            }
        });
        before += reader.file_size();
    }
}

} // namespace ap
