//! Editors' files that this program writes itself into, and out of: in a home folder of the test's own.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::project::{Project, Said};

/// A project whose home folder lies beside it.
fn home() -> Project {
    let project = Project::empty();
    let home = project.root().join("../home");
    std::fs::create_dir_all(&home).unwrap();
    let home = home.canonicalize().unwrap();
    project
        .with("HOME", home.clone())
        .with("XDG_CONFIG_HOME", home.join("config"))
        .with("NVIM_APPNAME", "")
}

fn place(project: &Project, path: &str) -> PathBuf {
    project.root().join("../home/config").canonicalize().unwrap_or_default().join(path)
}

/// Each editor, its file, and one that a person may have written there.
const EDITORS: &[(&str, &str, &str)] = &[
    (
        "vscode",
        "Code/User/settings.json",
        "// mine\n{\n\t\"editor.tabSize\": 3, // odd, I know\n\t\"files.exclude\": { \"**/x\": true, },\n}\n",
    ),
    (
        "zed",
        "zed/settings.json",
        "{\n  // the agents\n  \"agent_servers\": { \"Mine\": { \"command\": \"mine\" } },\n  \"vim_mode\": true\n}",
    ),
    (
        "helix",
        "helix/languages.toml",
        "# mine\n[[language]]\nname = \"rust\"   # as I like it\nlanguage-servers = [\"rust-analyzer\"]",
    ),
    ("neovim", "nvim/plugin/orchestrator.lua", "-- mine\nvim.o.number = true\n"),
];

fn lay(project: &Project, path: &str, text: &str) -> PathBuf {
    let folder = project.root().join("../home/config");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.canonicalize().unwrap().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn fine(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
}

/// What a file of ours says besides its comments.
fn read(text: &str) -> Value {
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    serde_json::from_str(&lines.collect::<String>().replace(",}", "}").replace(", }", "}")).unwrap()
}

#[test]
fn what_a_person_wrote_stays_and_removing_gives_every_byte_back() {
    for (editor, path, mine) in EDITORS {
        for mine in [(*mine).to_owned(), mine.replace('\n', "\r\n")] {
            let project = home();
            let file = lay(&project, path, &mine);
            let dry = project.run(&["setup", editor, "--dry-run"]);
            fine(&dry);
            assert!(dry.out.contains("would be changed") && dry.out.contains("\n+"), "{dry:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), mine);

            let said = project.run(&["setup", editor]);
            fine(&said);
            assert!(said.out.contains("next: "), "{said:?}");
            let after = std::fs::read_to_string(&file).unwrap();
            assert!(after.to_lowercase().contains("orchestrator"), "{after}");
            for word in ["mine", "odd, I know", "as I like it", "the agents", "vim.o.number"] {
                assert_eq!(after.contains(word), mine.contains(word), "{word}: {after}");
            }
            assert_eq!(after.contains("\r\n"), mine.contains("\r\n"), "{after:?}");
            let backup = file.with_file_name(format!(
                "{}.before-orchestrator",
                file.file_name().unwrap().to_str().unwrap()
            ));
            assert_eq!(std::fs::read_to_string(&backup).unwrap(), mine);

            let again = project.run(&["setup", editor]);
            fine(&again);
            assert!(again.out.contains("says it already"), "{again:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), after, "twice is once");
            assert_eq!(std::fs::read_to_string(&backup).unwrap(), mine);

            fine(&project.run(&["setup", editor, "--remove"]));
            assert_eq!(std::fs::read_to_string(&file).unwrap(), mine, "{editor}");
            assert!(!backup.exists());
            let nothing = project.run(&["setup", editor, "--remove"]);
            assert!(nothing.out.contains("has nothing of it"), "{nothing:?}");
        }
    }
}

#[test]
fn what_was_written_since_stays_and_only_our_part_goes() {
    for (editor, path, mine) in EDITORS {
        let project = home();
        let file = lay(&project, path, mine);
        fine(&project.run(&["setup", editor]));
        let after = std::fs::read_to_string(&file).unwrap();
        let since =
            after.replacen("mine", "mine, and since", 1).replacen("\"Mine\"", "\"Since\"", 1);
        assert_ne!(since, after);
        std::fs::write(&file, &since).unwrap();
        fine(&project.run(&["setup", editor, "--remove"]));
        let left = std::fs::read_to_string(&file).unwrap();
        assert!(!left.to_lowercase().contains("orchestrator"), "{left}");
        let expected =
            mine.replacen("mine", "mine, and since", 1).replacen("\"Mine\"", "\"Since\"", 1);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&left), words(&expected), "{editor}");
    }
}

#[test]
fn a_file_that_was_not_there_is_made_and_goes_again() {
    for (editor, path, _) in EDITORS {
        let project = home();
        fine(&project.run(&["setup", editor]));
        let file = place(&project, path);
        let text = std::fs::read_to_string(&file).unwrap();
        match *editor {
            "zed" => {
                assert_eq!(read(&text)["agent_servers"]["Orchestrator"]["args"], json!(["acp"]))
            }
            "vscode" => {
                let program = read(&text)["orchestrator.server.path"].as_str().unwrap().to_owned();
                assert!(std::path::Path::new(&program).is_file(), "{program}");
            }
            "helix" => {
                let table: toml::Table = text.parse().unwrap();
                assert_eq!(
                    table["language-server"]["orchestrator"]["args"][0].as_str(),
                    Some("lsp")
                );
                assert_eq!(table["language"].as_array().unwrap().len(), 3);
            }
            _ => assert!(text.contains("vim.lsp.enable(\"orchestrator\")"), "{text}"),
        }
        fine(&project.run(&["setup", editor, "--remove"]));
        assert!(!file.exists(), "{editor}");
    }
}

#[test]
fn a_projects_own_file_names_the_server_beside_the_others() {
    let project = home();
    let mine = "{\n    \"mcpServers\": {\n        \"docs\": {\"command\": \"docs\"}\n    }\n}\n";
    project.write(".mcp.json", mine);
    fine(&project.run(&["setup", "mcp"]));
    let file: Value = serde_json::from_str(&project.read(".mcp.json")).unwrap();
    let own = json!({"command": "orchestrator", "args": ["mcp"]});
    assert_eq!(file["mcpServers"]["orchestrator"], own);
    assert_eq!(file["mcpServers"]["docs"]["command"], "docs");
    fine(&project.run(&["setup", "mcp", "--remove"]));
    assert_eq!(project.read(".mcp.json"), mine);
}

#[test]
fn a_file_that_is_not_understood_is_left_alone_with_its_line() {
    let broken = [
        ("vscode", "Code/User/settings.json", "{\n  \"a\": 1,\n  \"b\": }\n", "line 3"),
        ("vscode", "Code/User/settings.json", "[1]\n", "no object"),
        (
            "zed",
            "zed/settings.json",
            "{ \"agent_servers\": 1 }",
            "`agent_servers` in it is no object",
        ),
        (
            "zed",
            "zed/settings.json",
            "{ \"agent_servers\": { \"Orchestrator\": 1 } }",
            "something else at `agent_servers.Orchestrator`",
        ),
        ("helix", "helix/languages.toml", "[x]\ny = 1\nz = =\n", "line 3"),
        ("helix", "helix/languages.toml", "[language-server.orchestrator]\n", "already"),
    ];
    for (editor, path, text, why) in broken {
        let project = home();
        let file = lay(&project, path, text);
        let said = project.run(&["setup", editor]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(why) && said.err.contains("left as it is"), "{why}: {said:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing beside");
    }
    // Comments have no place in a project's `.mcp.json`.
    let project = home();
    project.write(".mcp.json", "{\n  // mine\n}\n");
    assert_eq!(project.run(&["setup", "mcp"]).code, 2);
}

#[test]
fn a_link_stays_a_link_the_mode_stays_and_a_read_only_file_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let (editor, path, mine) = EDITORS[0];
    let project = home();
    let link = lay(&project, path, "");
    std::fs::remove_file(&link).unwrap();
    let dotfiles = project.root().join("../home/dotfiles");
    std::fs::create_dir_all(&dotfiles).unwrap();
    let real = dotfiles.canonicalize().unwrap().join("code.json");
    std::fs::write(&real, mine).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("../../../dotfiles/code.json", &link).unwrap();
    fine(&project.run(&["setup", editor]));
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().contains("orchestrator.server.path"));
    assert_eq!(mode(&real), 0o640);
    fine(&project.run(&["setup", editor, "--remove"]));
    assert!(link.is_symlink());
    assert_eq!((std::fs::read_to_string(&real).unwrap().as_str(), mode(&real)), (mine, 0o640));

    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o444)).unwrap();
    let said = project.run(&["setup", editor]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("read-only"), "{said:?}");
    assert_eq!(std::fs::read_to_string(&real).unwrap(), mine);
}

/// The commands, as `--help` lists them.
fn commands(project: &Project) -> Vec<String> {
    let help = project.run(&["--help"]).out;
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let project = home();
    let commands = commands(&project);
    assert!(commands.len() > 15, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = project.run(&["completions", shell]);
        fine(&said);
        for command in &commands {
            assert!(said.out.contains(command.as_str()), "{shell} {command}");
        }
    }
    let page = project.run(&["man"]);
    fine(&page);
    assert!(page.out.contains(".TH orchestrator 1"), "{}", &page.out[..200]);
    fine(&project.run(&["man", "--out", "pages"]));
    let pages = project.root().join("pages");
    for command in &commands {
        let text = std::fs::read_to_string(pages.join(format!("orchestrator-{command}.1")));
        assert!(text.unwrap_or_else(|_| panic!("{command} has no page")).contains(".SH NAME"));
        assert!(page.out.contains(&command.replace('-', "\\-")), "{command}");
    }
    assert!(pages.join("orchestrator-todo-set.1").exists());
}
