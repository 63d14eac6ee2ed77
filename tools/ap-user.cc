#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/state.hh"
#include "domain/users.hh"
#include "sys/secret_prompt.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'s', "scope", "SCOPE", "add: read, operate or admin (default read)"},
    {0, "json", "", "list: print JSON"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"add", "NAME", "record a user; the password is read from standard input", 1, 1},
    {"passwd", "NAME", "replace the password and end the user's sessions", 1, 1},
    {"list", "", "print all users", 0, 0},
    {"delete", "NAME", "remove a user and their sessions", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-user",
                               .summary = "users of the HTTP interface",
                               .options = options,
                               .verbs = verbs};

ap::AccessScope scope_option(const ap::Arguments &arguments)
{
    const std::string name = arguments.value("scope").value_or("read");
    const auto scope = ap::access_scope_of(name);
    if (!scope) {
        throw ap::UsageError("--scope: expected read, operate or admin, got '" +
                             ap::printable(name) + "'");
    }
    return *scope;
}

void list(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::Table table({"USER", "SCOPE", "CREATED", "LAST LOGIN"});
    for (const ap::User &user : ap::list_users(database)) {
        if (arguments.has("json")) {
            ap::print(ap::user_to_json(user).dump() + "\n");
        }
        table.add({user.name, std::string(ap::access_scope_name(user.scope)),
                   ap::format_local(user.created_at),
                   user.last_login_at ? ap::format_local(*user.last_login_at) : "-"});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    const ap::AccessScope scope = scope_option(arguments);
    using Access = ap::State::Access;
    ap::State state(ap::state_paths(arguments.value("db")),
                    verb == "list"  ? Access::Read
                    : verb == "add" ? Access::Create
                                    : Access::Write,
                    spec.name);
    ap::Sqlite &database = state.database();
    if (verb == "list") {
        list(arguments, database);
        return ExitStatus::Done;
    }
    const std::string &name = arguments.operands()[0];
    if (verb == "delete") {
        ap::delete_user(database, name);
        return ExitStatus::Done;
    }
    const std::string password = ap::read_secret("password of " + ap::printable(name));
    if (verb == "add") {
        ap::add_user(database, name, password, scope, ap::SystemClock());
    } else {
        ap::set_password(database, name, password, ap::SystemClock());
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
