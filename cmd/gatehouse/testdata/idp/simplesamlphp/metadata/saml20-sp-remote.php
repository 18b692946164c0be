<?php
$metadata[getenv('SP_ENTITY')] = [
    'AssertionConsumerService' => getenv('SP_ACS'),
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
];
