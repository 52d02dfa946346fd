/** The missions in the side bar. What it shows is `tree.ts`; here it becomes the editor's items. */

import {
  EventEmitter,
  MarkdownString,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
} from 'vscode';
import type { Missions } from './missions';
import { type Node, tree } from './tree';

export class MissionsTree implements TreeDataProvider<Node> {
  private readonly changed = new EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  private shown: Node[] = [];

  constructor(missions: Missions) {
    missions.onChange(() => {
      const nodes = tree(missions.all());
      // What is built anew under a person's hand folds up again, so only what changed is.
      if (JSON.stringify(nodes) !== JSON.stringify(this.shown)) {
        this.shown = nodes;
        this.changed.fire(undefined);
      }
    });
  }

  getChildren(node?: Node): Node[] {
    return node === undefined ? this.shown : (node.children ?? []);
  }

  getTreeItem(node: Node): TreeItem {
    const item = new TreeItem(node.label, fold(node));
    item.id = node.id;
    if (node.description !== undefined) {
      item.description = node.description;
    }
    if (node.tooltip !== undefined) {
      // A model wrote some of it: it is text, and no Markdown.
      item.tooltip = new MarkdownString().appendText(node.tooltip);
    }
    if (node.icon !== undefined) {
      const color = node.color === undefined ? undefined : new ThemeColor(node.color);
      item.iconPath = new ThemeIcon(node.icon, color);
    }
    if (node.context !== undefined) {
      item.contextValue = node.context;
    }
    if (node.click !== undefined) {
      item.command = {
        command: `orchestrator.ui.${node.click}`,
        title: node.label,
        arguments: [node],
      };
    }
    return item;
  }
}

function fold(node: Node): TreeItemCollapsibleState {
  if (node.children === undefined || node.children.length === 0) {
    return TreeItemCollapsibleState.None;
  }
  return node.expanded === true
    ? TreeItemCollapsibleState.Expanded
    : TreeItemCollapsibleState.Collapsed;
}
