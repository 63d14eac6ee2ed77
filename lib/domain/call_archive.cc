#include "domain/call_archive.hh"

#include "base/text.hh"
#include "sys/path.hh"
#include "wrap/json.hh"
#include "wrap/sodium.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr size_t read_size = 1 << 16;

// The value without the ignored members below `pointer`, which it is at.
Json without(const Json &value, const std::string &pointer,
             const std::vector<std::string> &ignored)
{
    if (value.is_array()) {
        Json kept = Json::array();
        for (size_t i = 0; i < value.size(); i++) {
            kept.append(without(value.at(i), pointer + "/" + std::to_string(i), ignored));
        }
        return kept;
    }
    if (!value.is_object()) {
        return value;
    }
    Json kept = Json::object();
    for (const std::string &name : value.keys()) {
        std::string below = pointer + "/";
        for (const char c : name) {
            below += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
        }
        if (std::find(ignored.begin(), ignored.end(), below) == ignored.end()) {
            kept.set(name, without(value.get(name), below, ignored));
        }
    }
    return kept;
}

// "attempt-10" after "attempt-9".
bool in_order(const std::string &one, const std::string &other)
{
    return strverscmp(one.c_str(), other.c_str()) < 0;
}

} // namespace

CallArchive::CallArchive(std::vector<std::string> ignored)
    : ignored_(std::move(ignored))
{
}

void CallArchive::add(const std::string &path)
{
    files_.push_back({path, open_file(path, O_RDONLY)});
    const size_t file = files_.size() - 1;
    std::array<char, read_size> buffer;
    std::string line;
    Place place{file, 0, 0, 1};
    while (true) {
        const ssize_t count =
            read_some(files_[file].fd.get(), buffer.data(), buffer.size(), path);
        if (count <= 0) {
            break;
        }
        std::string_view piece(buffer.data(), static_cast<size_t>(count));
        for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;) {
            line += piece.substr(0, end);
            place.length = line.size();
            add_line(place, line, true);
            place.offset += static_cast<int64_t>(line.size()) + 1;
            place.line++;
            line.clear();
            piece.remove_prefix(end + 1);
        }
        line += piece;
    }
    if (!line.empty()) {
        place.length = line.size();
        add_line(place, line, false);
    }
}

void CallArchive::add_line(const Place &place, std::string_view line, bool whole)
{
    CallRecord record;
    try {
        record = call_record_from_line(line, files_[place.file].path + ":" +
                                                 std::to_string(place.line));
    } catch (const Error &) {
        if (whole) {
            throw;
        }
        return;
    }
    Calls &calls = calls_[key_of(record.method, record.target, record.request_body)];
    calls.left.push_back(place);
    calls.recorded++;
    size_++;
}

std::string CallArchive::key_of(std::string_view method, std::string_view target,
                                std::string_view body) const
{
    std::string asked = std::string(method) + '\n' + target_without_key(target) + '\n';
    const auto json = ignored_.empty() ? std::nullopt : Json::try_parse(body);
    asked += json ? without(*json, "", ignored_).dump() : std::string(body);
    return blake2b_hex(asked);
}

CallRecord CallArchive::read(const Place &place) const
{
    const File &file = files_[place.file];
    std::string line(place.length, '\0');
    const ssize_t count = pread(file.fd.get(), line.data(), line.size(), place.offset);
    if (count != static_cast<ssize_t>(line.size())) {
        throw_errno("cannot read '" + file.path + "' again");
    }
    return call_record_from_line(line, file.path + ":" + std::to_string(place.line));
}

std::optional<CallRecord>
CallArchive::next(std::string_view method, std::string_view target, std::string_view body)
{
    const auto found = calls_.find(key_of(method, target, body));
    if (found == calls_.end() || found->second.left.empty()) {
        return std::nullopt;
    }
    CallRecord record = read(found->second.left.front());
    found->second.left.pop_front();
    served_++;
    return record;
}

size_t CallArchive::count(std::string_view method, std::string_view target,
                          std::string_view body) const
{
    const auto found = calls_.find(key_of(method, target, body));
    return found == calls_.end() ? 0 : found->second.recorded;
}

std::vector<std::string> find_archives(const std::string &path)
{
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) {
        throw_errno("cannot find '" + path + "'");
    }
    if (!S_ISDIR(status.st_mode)) {
        return {path};
    }
    std::string escaped;
    for (const char c : path) {
        escaped +=
            (std::string_view("*?[\\").find(c) == std::string_view::npos ? "" : "\\") +
            std::string(1, c);
    }
    std::vector<std::string> found;
    for (const char *below : {"archive.jsonl", "attempt-*/archive.jsonl",
                              "phases/*/attempt-*/archive.jsonl"}) {
        glob_t matches = {};
        if (glob(join_path(escaped, below).c_str(), 0, nullptr, &matches) == 0) {
            found.insert(found.end(), matches.gl_pathv,
                         matches.gl_pathv + matches.gl_pathc);
        }
        globfree(&matches);
    }
    if (found.empty()) {
        throw Error(ExitStatus::NoInput, "no archive.jsonl in '" + path + "'");
    }
    std::sort(found.begin(), found.end(), in_order);
    return found;
}

} // namespace ap
