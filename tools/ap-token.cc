#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/api_tokens.hh"
#include "domain/state.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'s', "scope", "SCOPE", "create: read, operate or admin (default read)"},
    {'e', "expires", "D", "create: how long it is good, such as 30d (default: for ever)"},
    {'a', "all", "", "list: revoked tokens, too"},
    {0, "json", "", "create, list: print JSON"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"create", "NAME", "make a token and print it, once", 1, 1},
    {"list", "", "print what tokens there are, not the tokens", 0, 0},
    {"revoke", "ID", "make a token useless", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-token",
                               .summary = "tokens for programs that use the API",
                               .options = options,
                               .verbs = verbs};

void create(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const std::string word = arguments.value("scope").value_or("read");
    const auto scope = ap::access_scope_of(word);
    if (!scope) {
        throw ap::UsageError("--scope: expected read, operate or admin, got '" +
                             ap::printable(word) + "'");
    }
    const auto length = arguments.value("expires");
    const auto lifetime = length ? ap::parse_duration(*length) : std::nullopt;
    if (length && (!lifetime || lifetime->count() == 0)) {
        throw ap::UsageError("--expires: expected a duration such as 30d, got '" +
                             ap::printable(*length) + "'");
    }
    const ap::NewApiToken token = ap::create_api_token(
        database, arguments.operands()[0], *scope,
        lifetime ? std::optional<int64_t>(lifetime->count()) : std::nullopt,
        ap::SystemClock());
    ap::print(arguments.has("json") ? ap::Json::object()
                                              .set("token_id", token.token_id)
                                              .set("token", token.secret)
                                              .dump() +
                                          "\n"
                                    : token.secret + "\n");
}

std::string instant(const std::optional<ap::UnixMs> &at, const char *otherwise)
{
    return at ? ap::format_local(*at) : otherwise;
}

void list(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::Table table({"ID", "NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED"});
    for (const ap::ApiToken &token :
         ap::list_api_tokens(database, arguments.has("all"))) {
        if (arguments.has("json")) {
            ap::print(ap::api_token_to_json(token).dump() + "\n");
        }
        table.add({std::to_string(token.token_id), token.name,
                   std::string(ap::access_scope_name(token.scope)),
                   ap::format_local(token.created_at),
                   token.revoked_at ? "revoked" : instant(token.expires_at, "never"),
                   instant(token.last_used_at, "-")});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    using Access = ap::State::Access;
    ap::State state(ap::state_paths(arguments.value("db")),
                    verb == "list"     ? Access::Read
                    : verb == "create" ? Access::Create
                                       : Access::Write,
                    spec.name);
    if (verb == "create") {
        create(arguments, state.database());
    } else if (verb == "list") {
        list(arguments, state.database());
    } else {
        const std::string &word = arguments.operands()[0];
        const auto id = ap::parse_integer(word, 1, INT64_MAX);
        if (!id) {
            throw ap::UsageError("revoke: expected the number of a token, got '" +
                                 ap::printable(word) + "'");
        }
        ap::revoke_api_token(state.database(), *id, ap::SystemClock());
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
