// The one thing of node that is used; its types would be one package more.
declare const process: { argv: string[] }
