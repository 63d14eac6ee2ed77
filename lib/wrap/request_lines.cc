#include "wrap/request_lines.hh"

namespace ap {

void RequestLines::add_line(std::string_view line)
{
    starts_.push_back(text_.size());
    text_.append(line).push_back('\0');
}

void RequestLines::add(const HttpField &field)
{
    starts_.push_back(text_.size());
    text_.append(field.name);
    // An empty value is written in its own way; "Name:" would mean to leave it out.
    if (field.value.empty()) {
        text_.push_back(';');
    } else {
        text_.append(": ").append(field.value);
    }
    text_.push_back('\0');
}

void RequestLines::make(std::span<const HttpField> fields)
{
    text_.clear();
    starts_.clear();
    for (const HttpField &field : fields) {
        if (!is_hop_by_hop(field.name) && !same_field_name(field.name, "host") &&
            !same_field_name(field.name, "content-length") &&
            !same_field_name(field.name, "expect")) {
            add(field);
        }
    }
    // The library would add these of its own accord.
    if (!find_field(fields, "accept")) {
        add_line("Accept:");
    }
    if (!find_field(fields, "content-type")) {
        add_line("Content-Type:");
    }
    add_line("Expect:");
}

} // namespace ap
