#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ap {

/// Header fields in one string, each name and value ended by NUL, as C libraries want
/// them.
class PackedFields
{
public:
    /// Neither may contain a NUL.
    void add(std::string_view name, std::string_view value)
    {
        packed_.append(name).push_back('\0');
        packed_.append(value).push_back('\0');
    }

    /// Makes room for so many fields with so many bytes of names and values together.
    void reserve(size_t count, size_t bytes) { packed_.reserve(2 * count + bytes); }

    void clear() noexcept { packed_.clear(); }

    /// Calls `use(const char *name, const char *value)` for each in order.
    template <typename Use>
    void each(const Use &use) const
    {
        for (size_t at = 0; at < packed_.size();) {
            const char *name = packed_.data() + at;
            at = packed_.find('\0', at) + 1;
            use(name, packed_.data() + at);
            at = packed_.find('\0', at) + 1;
        }
    }

private:
    std::string packed_;
};

} // namespace ap
