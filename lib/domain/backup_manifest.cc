#include "domain/backup_manifest.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <limits>
#include <set>

namespace ap {

namespace {

constexpr std::string_view format_name = "autopack-backup";
constexpr size_t longest_path = 4000;

Json header_of(const BackupManifest &manifest)
{
    Json counts = Json::object();
    counts.set("runs", manifest.runs)
        .set("phases", manifest.phases)
        .set("usage_events", manifest.usage_events)
        .set("events", manifest.events)
        .set("entries", static_cast<int64_t>(manifest.entries.size()))
        .set("left_out", static_cast<int64_t>(manifest.left_out.size()))
        .set("bytes", manifest.bytes());
    Json chain = Json::array();
    for (const BackupLink &link : manifest.chain) {
        Json item = Json::object();
        item.set("id", link.id)
            .set("file", link.file)
            .set("manifest_sha256", to_hex(link.manifest));
        chain.append(item);
    }
    Json header = Json::object();
    header.set("format", format_name)
        .set("format_version", backup_format_version)
        .set("id", manifest.id)
        .set("created_at", manifest.created_at)
        .set("program", manifest.program)
        .set("schema_version", manifest.schema_version)
        .set("counts", counts)
        .set("chain", chain);
    return header;
}

Json line_of(const BackupEntry &entry)
{
    Json line = Json::object();
    line.set("path", entry.path);
    if (entry.directory) {
        line.set("directory", true);
    } else {
        line.set("size", entry.size).set("sha256", to_hex(entry.hash));
        if (entry.length != entry.size) {
            line.set("length", entry.length);
        }
    }
    line.set("mode", static_cast<int64_t>(entry.mode)).set("mtime_ns", entry.mtime_ns);
    if (entry.ctime_ns != 0) {
        line.set("ctime_ns", entry.ctime_ns);
    }
    if (entry.from != 0) {
        line.set("from", entry.from);
    }
    return line;
}

// The lines of a manifest, with errors that say where.
class Reader
{
public:
    Reader(std::string_view text, const std::string &source)
        : text_(text)
        , source_(source)
    {
    }

    Json next()
    {
        number_++;
        const size_t end = text_.find('\n');
        if (end == std::string_view::npos) {
            fail("expected another line");
        }
        Json line = Json::parse(text_.substr(0, end), where());
        text_.remove_prefix(end + 1);
        return line;
    }

    void expect_end() const
    {
        if (!text_.empty()) {
            fail("expected the end, got '" + printable(text_, 40) + "'");
        }
    }

    std::string text(const Json &object, std::string_view key) const
    {
        const auto value = object.get_string(key);
        if (!value) {
            fail("expected a string '" + std::string(key) + "'");
        }
        return *value;
    }

    int64_t number(const Json &object, std::string_view key, int64_t low,
                   int64_t high = std::numeric_limits<int64_t>::max()) const
    {
        const auto value = object.get_integer(key);
        if (!value || *value < low || *value > high) {
            fail("expected a whole number '" + std::string(key) + "' from " +
                 std::to_string(low) + " to " + std::to_string(high));
        }
        return *value;
    }

    Sha256 hash(const Json &object, std::string_view key) const
    {
        const auto value = sha256_from_hex(text(object, key));
        if (!value) {
            fail("expected 64 hexadecimal digits '" + std::string(key) + "'");
        }
        return *value;
    }

    [[noreturn]] void fail(const std::string &what) const
    {
        throw Error(ExitStatus::BadData, where() + ": " + what);
    }

private:
    std::string where() const { return source_ + ": line " + std::to_string(number_); }

    std::string_view text_;
    const std::string &source_;
    int number_ = 0;
};

bool is_id(std::string_view text)
{
    return text.size() == 32 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string read_id(const Reader &reader, const Json &object)
{
    std::string id = reader.text(object, "id");
    if (!is_id(id)) {
        reader.fail("expected 32 hexadecimal digits 'id'");
    }
    return id;
}

std::vector<BackupLink> read_chain(const Reader &reader, const Json &list)
{
    constexpr size_t longest_chain = 1000;
    if (!list.is_array() || list.size() > longest_chain) {
        reader.fail("expected an array 'chain' of at most 1000 backups");
    }
    std::vector<BackupLink> chain;
    for (size_t i = 0; i < list.size(); i++) {
        const Json item = list.at(i);
        BackupLink link{read_id(reader, item), reader.text(item, "file"),
                        reader.hash(item, "manifest_sha256")};
        // It is looked for beside the archive, and nowhere else.
        if (link.file.empty() || link.file.find('/') != std::string::npos) {
            reader.fail("expected a file name without directory 'file'");
        }
        chain.push_back(std::move(link));
    }
    return chain;
}

BackupManifest read_header(const Reader &reader, const Json &header)
{
    if (header.get_string("format") != std::string(format_name)) {
        reader.fail("expected the header of an autopack-backup");
    }
    if (reader.number(header, "format_version", 1) > backup_format_version) {
        throw Error(ExitStatus::Config,
                    "the backup has format " +
                        std::to_string(reader.number(header, "format_version", 1)) +
                        ", newer than this program's " +
                        std::to_string(backup_format_version) + ": use a newer program");
    }
    const Json counts = header.get("counts");
    BackupManifest manifest;
    manifest.id = read_id(reader, header);
    manifest.created_at = reader.number(header, "created_at", 0);
    manifest.program = reader.text(header, "program");
    manifest.schema_version = reader.number(header, "schema_version", 1, 1'000'000);
    manifest.runs = reader.number(counts, "runs", 0);
    manifest.phases = reader.number(counts, "phases", 0);
    manifest.usage_events = reader.number(counts, "usage_events", 0);
    manifest.events = reader.number(counts, "events", 0);
    manifest.chain = read_chain(reader, header.get("chain"));
    return manifest;
}

// Its size is at most `most` bytes.
BackupEntry read_entry(const Reader &reader, const Json &line, size_t chain, int64_t most)
{
    BackupEntry entry;
    entry.path = reader.text(line, "path");
    std::string what;
    if (!backup_path_is_allowed(entry.path, &what)) {
        reader.fail("path '" + printable(entry.path) + "' " + what);
    }
    entry.directory = line.get_boolean("directory").value_or(false);
    if (!entry.directory) {
        entry.size = reader.number(line, "size", 0, most);
        entry.length = line.get("length") ? reader.number(line, "length", 0, entry.size)
                                          : entry.size;
        entry.hash = reader.hash(line, "sha256");
    }
    entry.mode = static_cast<mode_t>(reader.number(line, "mode", 0, 0777));
    entry.mtime_ns = reader.number(line, "mtime_ns", std::numeric_limits<int64_t>::min());
    if (line.get("ctime_ns")) {
        entry.ctime_ns =
            reader.number(line, "ctime_ns", std::numeric_limits<int64_t>::min());
    }
    if (line.get("from")) {
        entry.from =
            static_cast<int>(reader.number(line, "from", 1, static_cast<int64_t>(chain)));
    }
    return entry;
}

} // namespace

const BackupEntry *BackupManifest::find(std::string_view path) const
{
    const auto found =
        std::find_if(entries.begin(), entries.end(),
                     [&](const auto &entry) { return entry.path == path; });
    return found == entries.end() ? nullptr : &*found;
}

int64_t BackupManifest::bytes() const
{
    int64_t sum = 0;
    for (const BackupEntry &entry : entries) {
        sum += entry.size;
    }
    return sum;
}

size_t manifest_line_bound(std::string_view path)
{
    constexpr size_t fixed = 320; // every other member at its longest, a reason included
    return fixed + Json::string(path).dump().size();
}

size_t manifest_header_bound(const std::vector<BackupLink> &chain)
{
    size_t bound = 600;
    for (const BackupLink &link : chain) {
        bound += manifest_line_bound(link.file);
    }
    return bound;
}

std::string manifest_text(const BackupManifest &manifest)
{
    std::string text = header_of(manifest).dump() + "\n";
    for (const BackupEntry &entry : manifest.entries) {
        text += line_of(entry).dump() + "\n";
    }
    for (const LeftOut &left : manifest.left_out) {
        Json line = Json::object();
        line.set("left_out", left.path).set("reason", left.reason);
        text += line.dump() + "\n";
    }
    return text;
}

BackupManifest parse_manifest(std::string_view text, const std::string &source)
{
    Reader reader(text, source);
    const Json header = reader.next();
    BackupManifest manifest = read_header(reader, header);
    constexpr int64_t most = 10'000'000;
    int64_t bytes_left = int64_t{1} << 50; // so that sums of sizes are numbers
    const Json counts = header.get("counts");
    for (int64_t left = reader.number(counts, "entries", 0, most); left > 0; left--) {
        const Json line = reader.next();
        manifest.entries.push_back(
            read_entry(reader, line, manifest.chain.size(), bytes_left));
        bytes_left -= manifest.entries.back().size;
    }
    for (int64_t left = reader.number(counts, "left_out", 0, most); left > 0; left--) {
        const Json line = reader.next();
        manifest.left_out.push_back(
            {reader.text(line, "left_out"), reader.text(line, "reason")});
    }
    reader.expect_end();
    refuse_duplicates(manifest, source);
    return manifest;
}

bool backup_path_is_allowed(std::string_view path, std::string *what)
{
    const auto no = [&](std::string_view reason) {
        if (what != nullptr) {
            *what = reason;
        }
        return false;
    };
    if (path.empty() || path.size() > longest_path) {
        return no("is empty or longer than 4000 bytes");
    }
    if (path.front() == '/') {
        return no("is absolute");
    }
    if (std::any_of(path.begin(), path.end(), [](char character) {
            return static_cast<unsigned char>(character) < ' ' || character == 127;
        })) {
        return no("has control characters");
    }
    const std::vector<std::string_view> pieces = split(path, '/');
    for (const std::string_view piece : pieces) {
        if (piece.empty() || piece == "." || piece == "..") {
            return no("has a piece that is empty, '.' or '..'");
        }
    }
    const bool own = path == database_name || path == pieces_name ||
                     path == changes_name ||
                     std::find(std::begin(settings_names), std::end(settings_names),
                               path) != std::end(settings_names);
    if (!own && pieces.front() != runs_name && pieces.front() != "docs" &&
        pieces.front() != "config") {
        return no("is not one that a backup holds");
    }
    if (!own && pieces.size() == 1 && pieces.front() != runs_name) {
        return no("is not one that a backup holds");
    }
    return true;
}

void refuse_duplicates(const BackupManifest &manifest, const std::string &source)
{
    std::vector<const BackupEntry *> sorted;
    sorted.reserve(manifest.entries.size());
    for (const BackupEntry &entry : manifest.entries) {
        sorted.push_back(&entry);
    }
    std::sort(sorted.begin(), sorted.end(),
              [](const auto *one, const auto *other) { return one->path < other->path; });
    for (size_t i = 1; i < sorted.size(); i++) {
        if (sorted[i - 1]->path == sorted[i]->path) {
            throw Error(ExitStatus::BadData, source + ": path '" +
                                                 printable(sorted[i]->path) +
                                                 "' is there twice");
        }
    }
    const auto is_file = [&](std::string_view path) {
        const auto found =
            std::lower_bound(sorted.begin(), sorted.end(), path,
                             [](const BackupEntry *one, std::string_view other) {
                                 return one->path < other;
                             });
        return found != sorted.end() && (*found)->path == path && !(*found)->directory;
    };
    for (const BackupEntry *entry : sorted) {
        std::string_view above = entry->path;
        for (size_t slash = above.rfind('/'); slash != std::string_view::npos;
             slash = above.rfind('/')) {
            above = above.substr(0, slash);
            if (is_file(above)) {
                throw Error(ExitStatus::BadData, source + ": path '" +
                                                     printable(entry->path) +
                                                     "' is below a file");
            }
        }
    }
}

} // namespace ap
