#include "domain/backup_name.hh"

#include <ctime>

namespace ap {

std::optional<Compression> compression_of_name(std::string_view name)
{
    if (name.ends_with(".enc")) {
        name.remove_suffix(4);
    }
    if (name.ends_with(".tar.gz") || name.ends_with(".tgz")) {
        return Compression::Gzip;
    }
    if (name.ends_with(".tar.zst") || name.ends_with(".tzst")) {
        return Compression::Zstd;
    }
    return std::nullopt;
}

std::string dated_backup_name(UnixMs now, Compression compression, bool encrypted)
{
    const time_t seconds = now / 1000;
    struct tm local = {};
    localtime_r(&seconds, &local);
    char text[32] = {};
    static_cast<void>(std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local));
    return std::string("autopack-backup-") + text +
           (compression == Compression::Gzip ? ".tar.gz" : ".tar.zst") +
           (encrypted ? ".enc" : "");
}

} // namespace ap
