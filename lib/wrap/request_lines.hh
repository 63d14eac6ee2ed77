#pragma once

#include "base/http_field.hh"

#include <span>
#include <string>
#include <vector>

namespace ap {

/// The header lines of a request in the form libcurl takes them, in one buffer that is
/// used again and again.
class RequestLines
{
public:
    /// Replaces the lines by those for `fields`, less what the client writes itself or
    /// does not pass on, and with what keeps it from writing more than was asked for.
    void make(std::span<const HttpField> fields);

    size_t count() const noexcept { return starts_.size(); }

    /// Line `index`, ended by NUL; valid until the next make().
    char *line(size_t index) { return text_.data() + starts_[index]; }

private:
    void add(const HttpField &field);
    void add_line(std::string_view line);

    std::string text_;
    std::vector<size_t> starts_;
};

} // namespace ap
