#include "wrap/archive.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <exception>
#include <utility>

namespace ap {

namespace {

// The C library calls back through these; exceptions wait beside the handle meanwhile.
template <typename Callback>
struct Carrier
{
    Callback callback;
    std::exception_ptr error;

    void rethrow()
    {
        if (error) {
            std::rethrow_exception(std::exchange(error, nullptr));
        }
    }
};

la_ssize_t give(archive *handle, void *data, const void *bytes, size_t size) noexcept
{
    auto &carrier = *static_cast<Carrier<ByteSink> *>(data);
    if (carrier.error) {
        return -1; // while the handle is freed after a failure
    }
    try {
        carrier.callback({static_cast<const char *>(bytes), size});
        return static_cast<la_ssize_t>(size);
    } catch (...) {
        carrier.error = std::current_exception();
        archive_set_error(handle, EIO, "cannot write");
        return -1;
    }
}

la_ssize_t take(archive *handle, void *data, const void **bytes) noexcept
{
    auto &carrier = *static_cast<Carrier<ByteSource> *>(data);
    try {
        const std::string_view piece = carrier.callback();
        *bytes = piece.data();
        return static_cast<la_ssize_t>(piece.size());
    } catch (...) {
        carrier.error = std::current_exception();
        archive_set_error(handle, EIO, "cannot read");
        return ARCHIVE_FATAL;
    }
}

struct FreeEntry
{
    void operator()(archive_entry *entry) const noexcept { archive_entry_free(entry); }
};

struct FreeArchive
{
    void operator()(archive *handle) const noexcept
    {
        static_cast<void>(archive_free(handle));
    }
};

using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

std::string message_of(archive *handle)
{
    const char *text = archive_error_string(handle);
    return text == nullptr ? "unknown failure" : printable(text);
}

void require(archive *handle, int code)
{
    if (code != ARCHIVE_OK) {
        throw Error(ExitStatus::InputOutput,
                    "cannot write the archive: " + message_of(handle));
    }
}

void add_filter(archive *handle, Compression compression, int level)
{
    if (compression == Compression::None) {
        return;
    }
    const bool zstd = compression == Compression::Zstd;
    require(handle, zstd ? archive_write_add_filter_zstd(handle)
                         : archive_write_add_filter_gzip(handle));
    const std::string name = zstd ? "zstd" : "gzip";
    require(handle,
            archive_write_set_filter_option(handle, name.c_str(), "compression-level",
                                            std::to_string(level).c_str()));
    if (!zstd) {
        // The same content always gives the same bytes.
        require(handle,
                archive_write_set_filter_option(handle, "gzip", "timestamp", nullptr));
    }
}

ArchiveEntry::Kind kind_of(archive_entry *entry)
{
    if (archive_entry_hardlink(entry) != nullptr ||
        archive_entry_symlink(entry) != nullptr ||
        archive_entry_sparse_count(entry) > 0) {
        return ArchiveEntry::Kind::Other;
    }
    if (archive_entry_filetype(entry) == AE_IFREG) {
        return ArchiveEntry::Kind::File;
    }
    return archive_entry_filetype(entry) == AE_IFDIR ? ArchiveEntry::Kind::Directory
                                                     : ArchiveEntry::Kind::Other;
}

} // namespace

struct ArchiveWriter::Handle
{
    Carrier<ByteSink> carrier;
    ArchiveHandle archive;
};

ArchiveWriter::ArchiveWriter(ByteSink sink, Compression compression, int level)
    : handle_(std::make_unique<Handle>(
          Handle{{std::move(sink), nullptr}, ArchiveHandle(archive_write_new())}))
{
    archive *handle = handle_->archive.get();
    if (handle == nullptr) {
        throw Error(ExitStatus::TryAgain, "no memory for an archive");
    }
    check(archive_write_set_format_pax_restricted(handle));
    check(archive_write_set_bytes_per_block(
        handle, compression == Compression::None ? 0 : 65536));
    check(archive_write_set_bytes_in_last_block(handle, 1));
    add_filter(handle, compression, level);
    check(archive_write_open(handle, &handle_->carrier, nullptr, give, nullptr));
}

ArchiveWriter::~ArchiveWriter()
{
    // One that was not finished is given up; nothing more is to reach the sink.
    if (handle_->archive && !handle_->carrier.error) {
        handle_->carrier.error = std::make_exception_ptr(std::exception());
    }
}

void ArchiveWriter::check(int code)
{
    if (code != ARCHIVE_OK) {
        handle_->carrier.rethrow();
        require(handle_->archive.get(), code);
    }
}

void ArchiveWriter::begin(const ArchiveEntry &entry)
{
    const std::unique_ptr<archive_entry, FreeEntry> header(archive_entry_new());
    archive_entry_copy_pathname(header.get(), entry.path.c_str());
    const bool directory = entry.kind == ArchiveEntry::Kind::Directory;
    archive_entry_set_filetype(header.get(), directory ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(header.get(), entry.mode & 07777);
    archive_entry_set_size(header.get(), directory ? 0 : entry.size);
    archive_entry_set_mtime(header.get(), entry.mtime, 0);
    check(archive_write_header(handle_->archive.get(), header.get()));
}

void ArchiveWriter::write(std::string_view data)
{
    while (!data.empty()) {
        const la_ssize_t written =
            archive_write_data(handle_->archive.get(), data.data(), data.size());
        if (written <= 0) {
            check(ARCHIVE_FATAL);
        }
        data.remove_prefix(static_cast<size_t>(written));
    }
}

void ArchiveWriter::finish()
{
    check(archive_write_close(handle_->archive.get()));
    handle_->carrier.rethrow();
    handle_->archive.reset();
}

std::string compress(std::string_view data, Compression compression, int level)
{
    std::string compressed;
    Carrier<ByteSink> carrier{[&](std::string_view bytes) { compressed.append(bytes); },
                              nullptr};
    const ArchiveHandle handle(archive_write_new());
    require(handle.get(), archive_write_set_format_raw(handle.get()));
    require(handle.get(), archive_write_set_bytes_in_last_block(handle.get(), 1));
    add_filter(handle.get(), compression, level);
    require(handle.get(),
            archive_write_open(handle.get(), &carrier, nullptr, give, nullptr));
    const std::unique_ptr<archive_entry, FreeEntry> header(archive_entry_new());
    archive_entry_set_filetype(header.get(), AE_IFREG);
    require(handle.get(), archive_write_header(handle.get(), header.get()));
    if (archive_write_data(handle.get(), data.data(), data.size()) !=
        static_cast<la_ssize_t>(data.size())) {
        require(handle.get(), ARCHIVE_FATAL);
    }
    require(handle.get(), archive_write_close(handle.get()));
    return compressed;
}

namespace {

std::string little_endian(uint64_t value, int bytes)
{
    std::string text;
    for (int i = 0; i < bytes; i++) {
        text += static_cast<char>(value >> (8 * i) & 0xff);
    }
    return text;
}

// An empty gzip member (RFC 1952) of `size` bytes, of which an extra field "AP" takes all
// that is not needed.
std::string empty_member(size_t size)
{
    constexpr size_t fixed = 10 + 2 + 4 + 2 + 8;
    std::string member("\x1f\x8b\x08\x04\0\0\0\0\0\xff", 10);
    const size_t extra = size - fixed;
    member += little_endian(4 + extra, 2) + "AP" + little_endian(extra, 2);
    member.append(extra, '\0');
    member += "\x03";
    member.append(9, '\0'); // the end of the empty block, its checksum and its length
    return member;
}

} // namespace

size_t filler_least(Compression compression)
{
    return compression == Compression::Zstd ? 8 : 26;
}

std::string filler(size_t size, Compression compression)
{
    std::string bytes;
    if (compression == Compression::Zstd) {
        if (size > 0) {
            bytes = little_endian(0x184d2a50, 4) + little_endian(size - 8, 4);
            bytes.append(size - 8, '\0');
        }
        return bytes;
    }
    constexpr size_t largest = 65000;
    const size_t least = filler_least(compression);
    while (bytes.size() < size) {
        const size_t left = size - bytes.size();
        bytes += empty_member(left <= largest          ? left
                              : left - largest < least ? largest - least
                                                       : largest);
    }
    return bytes;
}

std::string tar_bytes(const ArchiveEntry &entry, std::string_view data)
{
    std::string bytes;
    ArchiveWriter writer([&](std::string_view piece) { bytes.append(piece); },
                         Compression::None, 0);
    writer.begin(entry);
    writer.write(data);
    writer.finish();
    constexpr size_t end_of_archive = 1024;
    bytes.resize(bytes.size() - end_of_archive);
    return bytes;
}

struct ArchiveReader::Handle
{
    Carrier<ByteSource> carrier;
    ArchiveHandle archive;
    std::string name;
    int64_t position = 0; // within the entry
};

ArchiveReader::ArchiveReader(ByteSource source, std::string name)
    : handle_(std::make_unique<Handle>(Handle{{std::move(source), nullptr},
                                              ArchiveHandle(archive_read_new()),
                                              std::move(name)}))
{
    archive *handle = handle_->archive.get();
    const bool ready =
        handle != nullptr && archive_read_support_filter_gzip(handle) == ARCHIVE_OK &&
        archive_read_support_filter_zstd(handle) == ARCHIVE_OK &&
        archive_read_support_format_tar(handle) == ARCHIVE_OK &&
        archive_read_open(handle, &handle_->carrier, nullptr, take, nullptr) ==
            ARCHIVE_OK;
    if (!ready) {
        give_up();
    }
}

ArchiveReader::~ArchiveReader() = default;

void ArchiveReader::give_up()
{
    handle_->carrier.rethrow();
    throw Error(ExitStatus::BadData,
                handle_->name + ": " + message_of(handle_->archive.get()));
}

std::optional<ArchiveEntry> ArchiveReader::next()
{
    archive_entry *header = nullptr;
    const int code = archive_read_next_header(handle_->archive.get(), &header);
    if (code == ARCHIVE_EOF) {
        return std::nullopt;
    }
    if (code != ARCHIVE_OK) {
        give_up();
    }
    handle_->position = 0;
    ArchiveEntry entry;
    const char *path = archive_entry_pathname(header);
    entry.path = path == nullptr ? "" : path;
    entry.kind = kind_of(header);
    entry.size = archive_entry_size(header);
    entry.mode = archive_entry_perm(header);
    entry.mtime = archive_entry_mtime(header);
    return entry;
}

std::string_view ArchiveReader::read()
{
    const void *bytes = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int code =
        archive_read_data_block(handle_->archive.get(), &bytes, &size, &offset);
    if (code == ARCHIVE_EOF) {
        return {};
    }
    // A hole would be bytes that nobody has hashed.
    if (code != ARCHIVE_OK || offset != handle_->position) {
        give_up();
    }
    handle_->position += static_cast<int64_t>(size);
    return size == 0 ? read() : std::string_view(static_cast<const char *>(bytes), size);
}

std::string loaded_archive_version()
{
    // "libarchive 3.6.2"
    const std::string_view text = archive_version_string();
    return std::string(text.substr(std::min(text.find(' '), text.size() - 1) + 1));
}

} // namespace ap
