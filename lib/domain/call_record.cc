#include "domain/call_record.hh"

#include "base/http_field.hh"
#include "base/text.hh"
#include "sys/path.hh"
#include "wrap/json.hh"
#include "wrap/sodium.hh"

#include <algorithm>
#include <fcntl.h>

namespace ap {

namespace {

constexpr int64_t version = 1;

constexpr std::string_view secret_fields[] = {
    "api-key",    "authorization", "cookie",         "proxy-authorization",
    "set-cookie", "x-api-key",     "x-goog-api-key",
};

Json fields_to_json(const CallRecord::Fields &fields)
{
    Json array = Json::array();
    for (const auto &[name, value] : fields) {
        if (!is_secret_field(name)) {
            array.append(
                Json::array().append(Json::string(name)).append(Json::string(value)));
        }
    }
    return array;
}

CallRecord::Fields fields_from_json(const Json &array)
{
    CallRecord::Fields fields;
    for (size_t i = 0; i < array.size(); i++) {
        const Json field = array.at(i);
        if (field.at(0).is_string() && field.at(1).is_string()) {
            fields.emplace_back(field.at(0).as_string(), field.at(1).as_string());
        }
    }
    return fields;
}

// Text stays readable; what JSON cannot hold unchanged is encoded.
void set_body(Json &message, const std::string &body)
{
    const Json text = Json::string(body);
    if (text.as_string() == body && body.find('\0') == std::string::npos) {
        message.set("body", text);
    } else {
        message.set("body_base64", base64(body));
    }
}

std::string body_of(const Json &message, std::string_view source)
{
    if (const auto text = message.get_string("body")) {
        return *text;
    }
    const auto body = from_base64(message.get_string("body_base64").value_or("?"));
    if (!body) {
        throw Error(ExitStatus::BadData,
                    std::string(source) + ": expected a body or body_base64");
    }
    return *body;
}

} // namespace

std::string call_record_line(const CallRecord &record)
{
    Json request = Json::object();
    request.set("method", record.method)
        .set("target", target_without_key(record.target))
        .set("fields", fields_to_json(record.request_fields));
    set_body(request, record.request_body);
    Json response = Json::object();
    response.set("status", record.status)
        .set("fields", fields_to_json(record.response_fields));
    set_body(response, record.response_body);
    response.set("complete", record.complete);
    Json line = Json::object();
    line.set("v", version)
        .set("at", record.at)
        .set("request_id", record.request_id)
        .set("request", request)
        .set("response", response);
    if (record.usage) {
        line.set("usage", usage_to_json(*record.usage));
    }
    return line.dump() + "\n";
}

void append_call_record(const std::string &directory, const CallRecord &record)
{
    make_directories(directory, 0700);
    const std::string path = join_path(directory, "archive.jsonl");
    const Fd file = open_file(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    write_all(file.get(), call_record_line(record), "'" + path + "'");
}

CallRecord call_record_from_line(std::string_view text, std::string_view source)
{
    const Json line = Json::parse(text, source);
    const Json request = line.get("request");
    const Json response = line.get("response");
    CallRecord record;
    if (line.get_integer("v") != version || !request.is_object() ||
        !response.is_object() || !request.get_string("method") ||
        !request.get_string("target") || !response.get_integer("status")) {
        throw Error(ExitStatus::BadData,
                    std::string(source) + ": expected a record of a call, version " +
                        std::to_string(version) + ", got '" + printable(text, 60) + "'");
    }
    record.at = line.get_integer("at").value_or(0);
    record.request_id = line.get_string("request_id").value_or("");
    record.method = *request.get_string("method");
    record.target = *request.get_string("target");
    record.request_fields = fields_from_json(request.get("fields"));
    record.request_body = body_of(request, source);
    record.status = static_cast<int>(*response.get_integer("status"));
    record.response_fields = fields_from_json(response.get("fields"));
    record.response_body = body_of(response, source);
    record.complete = response.get_boolean("complete").value_or(true);
    if (const Json usage = line.get("usage")) {
        record.usage = usage_from_json(usage);
    }
    return record;
}

bool is_secret_field(std::string_view name) noexcept
{
    return std::any_of(std::begin(secret_fields), std::end(secret_fields),
                       [&](auto secret) { return same_field_name(name, secret); });
}

std::string target_without_key(std::string_view target)
{
    const size_t mark = target.find('?');
    if (mark == std::string_view::npos) {
        return std::string(target);
    }
    std::string kept;
    for (const std::string_view parameter : split(target.substr(mark + 1), '&')) {
        if (parameter != "key" && !parameter.starts_with("key=")) {
            kept += (kept.empty() ? "?" : "&") + std::string(parameter);
        }
    }
    return std::string(target.substr(0, mark)) + kept;
}

} // namespace ap
