#pragma once

#include "domain/call_record.hh"
#include "sys/fd.hh"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ap {

/// Calls recorded in archives, found by what was asked: method, target and body must be
/// the same to the byte, fields do not matter. Of calls that asked the same the answers
/// come in the order they were recorded, each once. Memory grows with the number of
/// calls, not with their size: the answers stay in the files, which are kept open.
class CallArchive
{
public:
    /// `ignored`: JSON pointers (RFC 6901) of members that do not matter in a body that
    /// is JSON, such as "/metadata". With any, blanks do not matter either.
    explicit CallArchive(std::vector<std::string> ignored = {});

    /// Adds the calls of the file at `path`. A last line that was not written to its end,
    /// as a crash leaves one, is passed over. Throws Error(BadData) "PATH:LINE: ..." for
    /// any other line that is no record.
    void add(const std::string &path);

    /// The next answer to that request; nothing if none is left, or there never was one.
    std::optional<CallRecord> next(std::string_view method, std::string_view target,
                                   std::string_view body);

    /// How many recordings there are of that request, given out or not.
    size_t count(std::string_view method, std::string_view target,
                 std::string_view body) const;

    size_t size() const noexcept { return size_; }
    size_t served() const noexcept { return served_; }

private:
    struct Place
    {
        size_t file;
        int64_t offset;
        size_t length;
        int64_t line;
    };
    struct Calls
    {
        std::deque<Place> left;
        size_t recorded = 0;
    };
    struct File
    {
        std::string path;
        Fd fd;
    };

    std::string key_of(std::string_view method, std::string_view target,
                       std::string_view body) const;
    CallRecord read(const Place &place) const;
    void add_line(const Place &place, std::string_view line, bool whole);

    std::vector<std::string> ignored_;
    std::vector<File> files_;
    std::unordered_map<std::string, Calls> calls_;
    size_t size_ = 0;
    size_t served_ = 0;
};

/// The archive files below `path`: itself if it is a file, else `archive.jsonl` in the
/// attempt's, the phase's or the run's directory that it is, in the order of phases'
/// names and attempts. Throws Error(NoInput) if there is none.
std::vector<std::string> find_archives(const std::string &path);

} // namespace ap
