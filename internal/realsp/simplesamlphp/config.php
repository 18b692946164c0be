<?php
// SimpleSAMLphp as a service provider.
$config = [
    'baseurlpath' => getenv('SP_BASE') . '/',
    'certdir' => getenv('SP_FOLDER') . '/',
    'loggingdir' => getenv('SP_FOLDER') . '/',
    'datadir' => getenv('SP_FOLDER') . '/',
    'tempdir' => getenv('SP_FOLDER') . '/tmp',
    'secretsalt' => 'not a secret: a test',
    'auth.adminpassword' => 'not a secret: a test',
    'technicalcontact_email' => 'nobody@example.com',
    'timezone' => 'UTC',
    'logging.handler' => 'stderr',
    'logging.level' => SimpleSAML\Logger::WARNING,
    'module.enable' => ['core' => true, 'saml' => true],
    'session.cookie.secure' => false,
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => getenv('SP_FOLDER'),
    'metadata.sources' => [['type' => 'xml', 'file' => getenv('SP_FOLDER') . '/idp.xml']],
];
